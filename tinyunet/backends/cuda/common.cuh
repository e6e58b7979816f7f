// What every kernel file starts from. Lesson: lessons/15-fast-on-a-gpu.md.
//
// Arrays are row-major float32, (N, C, H, W): neighbouring threads hold neighbouring columns, so a
// warp's loads fall together. Every kernel gathers: each output element is written by exactly one
// thread, from a sum in a fixed order. Nothing is atomic, so a run repeats bit for bit.
// A kernel checks nothing but its own range; Python (launch.py) checks all arguments before.

__device__ inline long long thread_index() {
    return (long long)blockIdx.x * blockDim.x + threadIdx.x;
}

// Which number `index` of which map this thread works on, where each map of `size` numbers has
// blocks of its own. Within a map 32 bits suffice: a 64-bit division takes four times as long.
struct Place {
    int map, index;
};
__device__ inline Place place_in_map(int size) {
    const int blocks = (size + blockDim.x - 1) / blockDim.x;
    return {(int)blockIdx.x / blocks, (int)(blockIdx.x % blocks * blockDim.x + threadIdx.x)};
}

// max(a, b), but NaN if either is NaN: a run that diverges must be seen to (fmaxf would hide it).
__device__ inline float larger(float a, float b) { return a > b || a != a ? a : b; }

// The sum of `value` over the block's threads, for thread 0; `shared` has one place per thread and
// their number is a power of two. The tree always adds in the same order.
template <typename T>
__device__ inline T block_sum(T value, T* shared) {
    shared[threadIdx.x] = value;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
        __syncthreads();
    }
    return shared[0];
}
