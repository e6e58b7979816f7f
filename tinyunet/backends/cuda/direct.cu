// 3x3 convolution of an image of few channels, by its definition: the first layer of the U.
// Winograd would write 36/16 of all its outputs to memory to save a multiplication that costs
// nothing there. Lesson: lessons/15-fast-on-a-gpu.md.
#include "common.cuh"

constexpr int GROUP = 16;        // output channels of one pixel that one thread sums up
constexpr int MOST_CHANNELS = 4; // of x: what `filters` has room for

// y (N, O, H - 2, W - 2) of x (N, C, H, W), C <= 4, clipped at 0 if `relu`.
extern "C" __global__ void __launch_bounds__(256) direct_forward(
    const float* x, const float* weight, const float* bias, float* y, int channels, int height,
    int width, int out_channels, int relu) {
    __shared__ float filters[GROUP * MOST_CHANNELS * 9];
    const int out_width = width - 2, size = (height - 2) * out_width;
    const int groups = (out_channels + GROUP - 1) / GROUP;
    const Place at = place_in_map(size);  // a "map" is a group of an image's output channels
    const int image = at.map / groups, first = at.map % groups * GROUP;
    const int count = min(GROUP, out_channels - first), taps = 9 * channels;
    for (int k = threadIdx.x; k < GROUP * taps; k += blockDim.x)
        filters[k] = k < count * taps ? weight[first * taps + k] : 0.0f;
    __syncthreads();
    if (at.index >= size) return;
    const int row = at.index / out_width, column = at.index % out_width;
    float sum[GROUP] = {};
    for (int c = 0; c < channels; c++) {
        const float* corner =
            x + ((long long)(image * channels + c) * height + row) * width + column;
        float d[9];
#pragma unroll
        for (int k = 0; k < 9; k++) d[k] = corner[k / 3 * width + k % 3];
#pragma unroll
        for (int o = 0; o < GROUP; o++)
#pragma unroll
            for (int k = 0; k < 9; k++) sum[o] += filters[o * taps + 9 * c + k] * d[k];
    }
#pragma unroll
    for (int o = 0; o < GROUP; o++) {
        if (o >= count) break;
        const float value = sum[o] + bias[first + o];
        y[((long long)image * out_channels + first + o) * size + at.index] =
            relu ? larger(value, 0.0f) : value;
    }
}

// Each slice's share of dweight, partial (slices, O, C, 9), and of dbias, partial_bias (slices, O),
// for dy and y (N, O, H - 2, W - 2); y is the ReLU's mask, or null. A block each.
extern "C" __global__ void __launch_bounds__(256) direct_filter_gradient(
    const float* dy, const float* y, const float* x, float* partial, float* partial_bias,
    int images, int channels, int height, int width, int out_channels, int slices) {
    __shared__ float shared[256];
    const int channel = blockIdx.x % channels, out_channel = blockIdx.x / channels % out_channels;
    const int slice = blockIdx.x / channels / out_channels;
    const int out_width = width - 2, size = (height - 2) * out_width;
    const int part = (size + slices - 1) / slices;
    const int first = min(slice * part, size), last = min(first + part, size);
    float sum[10] = {};  // of the taps, then of the bias
    for (int n = 0; n < images; n++) {
        const long long map = ((long long)n * out_channels + out_channel) * size;
        const float* image = x + (long long)(n * channels + channel) * height * width;
        for (int p = first + threadIdx.x; p < last; p += blockDim.x) {
            const float mask = y == nullptr ? 1.0f : y[map + p], given = dy[map + p];
            const float gradient = mask <= 0.0f ? 0.0f : given;
            const float* corner = image + p / out_width * width + p % out_width;
#pragma unroll
            for (int k = 0; k < 9; k++) sum[k] += gradient * corner[k / 3 * width + k % 3];
            sum[9] += gradient;
        }
    }
    for (int k = 0; k < 10; k++) {
        const float total = block_sum(sum[k], shared);
        __syncthreads();  // thread 0 has read it
        if (threadIdx.x != 0) continue;
        if (k < 9) partial[(long long)blockIdx.x * 9 + k] = total;
        if (k == 9 && channel == 0) partial_bias[slice * out_channels + out_channel] = total;
    }
}
