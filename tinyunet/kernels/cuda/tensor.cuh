// 3x3 convolution as one matrix product on tensor cores, its columns never written to memory.
// Lesson: lessons/15-fast-on-a-gpu.md.
//
//     y[o, p] = sum over k of filter[o, k] column[k, p]       k = (channel, row, column) of a patch
//
// p counts the output pixels of all images, and column[k, p] is looked up in x while it is loaded
// (an implicit im2col). The gradient of x is the same convolution of dy, padded by 2, with turned
// filters; the gradient of the filters is the product over p instead of k, cut into slices that a
// last kernel (in network.cu) adds up in order. Factors are rounded to tf32 or bf16 on the way to
// shared memory, sums are float32. A block of 8 warps, 2 by 4, makes BM x 128 sums, 16 words of k
// at a time.
#include "common.cuh"
#include "mma.cuh"

constexpr int BN = 128, DEPTH = 16, THREADS = 256;

// Where word (k, m) of a tile lies in shared memory. The neighbouring threads of a load run along
// k or along m; either layout spreads both them and the fragments' reads over the 32 banks.
template <int SIZE, bool K_FAST>
__device__ inline int place(int k, int m) {
    return K_FAST ? m * (DEPTH + 4) + k : k * (SIZE + 8) + m;
}

template <int SIZE, bool K_FAST>
struct Share {  // which words of a tile this thread loads: its s-th is (k(s), m(s))
    static constexpr int WORDS = SIZE * DEPTH / THREADS;
    static constexpr int ROOM = K_FAST ? SIZE * (DEPTH + 4) : DEPTH * (SIZE + 8);
    static __device__ inline int k(int s) {
        return K_FAST ? threadIdx.x % DEPTH : threadIdx.x / SIZE + s * (THREADS / SIZE);
    }
    static __device__ inline int m(int s) {
        return K_FAST ? threadIdx.x / DEPTH + s * (THREADS / DEPTH) : threadIdx.x % SIZE;
    }
};

// Load this thread's words of the tile that begins at `first`; get(m, k) gives a number, or 0.
template <int PER_WORD, int SIZE, bool K_FAST, class Get>
__device__ inline void fetch(const Get& get, int first, unsigned* words) {
    using Mine = Share<SIZE, K_FAST>;
#pragma unroll
    for (int s = 0; s < Mine::WORDS; s++) {
        const int k = first + PER_WORD * Mine::k(s), m = Mine::m(s);
        words[s] = make_word<PER_WORD>(get(m, k), PER_WORD == 2 ? get(m, k + 1) : 0.0f);
    }
}

template <int SIZE, bool K_FAST>
__device__ inline void store(const unsigned* words, unsigned* tile) {
    using Mine = Share<SIZE, K_FAST>;
#pragma unroll
    for (int s = 0; s < Mine::WORDS; s++)
        tile[place<SIZE, K_FAST>(Mine::k(s), Mine::m(s))] = words[s];
}

// Add one tile's product to this warp's sums, fragment by fragment.
template <int PER_WORD, int BM, bool K_FAST>
__device__ inline void multiply(
    const unsigned* tile_a, const unsigned* tile_b, float (&sum)[BM / 32][4][4]) {
    const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    const int row = warp % 2 * (BM / 2) + g, column = warp / 2 * 32 + g;
#pragma unroll
    for (int k = t; k < DEPTH + t; k += 8) {
        unsigned a[BM / 32][4], b[4][2];
#pragma unroll
        for (int i = 0; i < BM / 32; i++)
#pragma unroll
            for (int r = 0; r < 4; r++)
                a[i][r] = tile_a[place<BM, K_FAST>(k + r / 2 * 4, row + 16 * i + r % 2 * 8)];
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
            for (int r = 0; r < 2; r++)
                b[j][r] = tile_b[place<BN, K_FAST>(k + 4 * r, column + 8 * j)];
#pragma unroll
        for (int i = 0; i < BM / 32; i++)
#pragma unroll
            for (int j = 0; j < 4; j++) run_mma<PER_WORD>(sum[i][j], a[i], b[j]);
    }
}

// Sum a(m, k) b(n, k) over first <= k < last. Two tiles take turns in shared memory: while one is
// multiplied, the next is on its way to registers.
template <int PER_WORD, int BM, bool K_FAST, class A, class B>
__device__ inline void product(
    const A& a, const B& b, int first, int last, float (&sum)[BM / 32][4][4]) {
    __shared__ unsigned tiles_a[2][Share<BM, K_FAST>::ROOM], tiles_b[2][Share<BN, K_FAST>::ROOM];
    unsigned next_a[Share<BM, K_FAST>::WORDS], next_b[Share<BN, K_FAST>::WORDS];
    fetch<PER_WORD, BM, K_FAST>(a, first, next_a);
    fetch<PER_WORD, BN, K_FAST>(b, first, next_b);
    for (int turn = 0; first < last; turn = 1 - turn) {
        store<BM, K_FAST>(next_a, tiles_a[turn]);
        store<BN, K_FAST>(next_b, tiles_b[turn]);
        __syncthreads();
        first += PER_WORD * DEPTH;
        if (first < last) {
            fetch<PER_WORD, BM, K_FAST>(a, first, next_a);
            fetch<PER_WORD, BN, K_FAST>(b, first, next_b);
        }
        multiply<PER_WORD, BM, K_FAST>(tiles_a[turn], tiles_b[turn], sum);
    }
}

// Call put(m, n, value) for each of this thread's sums.
template <int BM, class Put>
__device__ inline void put_sums(float (&sum)[BM / 32][4][4], const Put& put) {
    const int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    const int row = warp % 2 * (BM / 2) + g, column = warp / 2 * 32 + 2 * t;
#pragma unroll
    for (int i = 0; i < BM / 32; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
            for (int r = 0; r < 4; r++)
                put(row + 16 * i + r / 2 * 8, column + 8 * j + r % 2, sum[i][j][r]);
}

// y (N, O, H + 2 pad - 2, W + 2 pad - 2) from x (N, C, H, W), filters (9 C, O), bias or null.
template <int PER_WORD, int BM>
__device__ inline void convolve(
    const float* x, const float* filters, const float* bias, float* y, int images, int channels,
    int height, int width, int out_channels, int pad, int relu) {
    const int out_width = width + 2 * pad - 2, map = (height + 2 * pad - 2) * out_width;
    const int row_blocks = (out_channels + BM - 1) / BM, depth = 9 * channels;
    const int first_o = blockIdx.x % row_blocks * BM, first_p = blockIdx.x / row_blocks * BN;

    auto filter = [&](int m, int k) {
        const int o = first_o + m;
        return o < out_channels && k < depth ? filters[(long long)k * out_channels + o] : 0.0f;
    };
    const int mine = first_p + threadIdx.x % BN;  // the only pixel whose column this thread loads
    const int image = mine / map, top = mine % map / out_width - pad;
    const int left = mine % out_width - pad;
    const float* images_x = x + (long long)image * channels * height * width;
    auto column = [&](int, int k) {
        const int channel = k / 9, i = top + k % 9 / 3, j = left + k % 3;
        const bool known = image < images && k < depth;
        const bool inside = i >= 0 && i < height && j >= 0 && j < width;
        return known && inside ? images_x[((long long)channel * height + i) * width + j] : 0.0f;
    };
    float sum[BM / 32][4][4] = {};
    product<PER_WORD, BM, false>(filter, column, 0, depth, sum);
    put_sums<BM>(sum, [&](int m, int n, float value) {
        const int o = first_o + m, p = first_p + n;
        if (o >= out_channels || p >= images * map) return;
        if (bias != nullptr) value += bias[o];
        if (relu) value = larger(value, 0.0f);
        y[((long long)(p / map) * out_channels + o) * map + p % map] = value;
    });
}

// partial (slices, O, 9 C): each slice's share of dweight, over its part of the output pixels.
template <int PER_WORD, int BM>
__device__ inline void convolve_filters(
    const float* dy, const float* x, float* partial, int images, int channels, int height,
    int width, int out_channels, int slices) {
    const int out_width = width - 2, map = (height - 2) * out_width, pixels = images * map;
    const int row_blocks = (out_channels + BM - 1) / BM, depth = 9 * channels;
    const int column_blocks = (depth + BN - 1) / BN;
    const int first_o = blockIdx.x % row_blocks * BM;
    const int first_k = blockIdx.x / row_blocks % column_blocks * BN;
    const int slice = blockIdx.x / row_blocks / column_blocks;
    const int step = PER_WORD * DEPTH;
    const int length = ((pixels + slices - 1) / slices + step - 1) / step * step;
    const int first_p = slice * length, last_p = min(first_p + length, pixels);

    auto gradient = [&](int m, int p) {
        const int o = first_o + m;
        if (o >= out_channels || p >= last_p) return 0.0f;
        return dy[((long long)(p / map) * out_channels + o) * map + p % map];
    };
    auto column = [&](int n, int p) {
        const int k = first_k + n;
        if (k >= depth || p >= last_p) return 0.0f;
        const int channel = k / 9;
        const int i = p % map / out_width + k % 9 / 3, j = p % map % out_width + k % 3;
        const long long of = (long long)(p / map) * channels + channel;
        return x[(of * height + i) * width + j];
    };
    float sum[BM / 32][4][4] = {};
    product<PER_WORD, BM, true>(gradient, column, first_p, last_p, sum);
    put_sums<BM>(sum, [&](int m, int n, float value) {
        const int o = first_o + m, k = first_k + n;
        if (o < out_channels && k < depth)
            partial[((long long)slice * out_channels + o) * depth + k] = value;
    });
}
