// Packing for tensor.cuh: float32 maps to words, channels last, rounded to tf32 or bf16 on the way.
// Lesson: lessons/15-fast-on-a-gpu.md.
#include "common.cuh"
#include "mma.cuh"

constexpr int PACK_PIXELS = 256;  // of one block, 32 at a time

// packed (N, pixels, words) from x (N, C, pixels): the channels that x has not are 0. With y, only
// where y > 0 (the ReLU's gradient). Each block's sums over its pixels go to sums (N, C, blocks) if
// it is not null, unrounded: that is dbias. A tile of 32 pixels is turned in shared memory, so that
// both sides are read and written by neighbours.
template <int PER_WORD>
__device__ inline void pack_maps(
    const float* x, const float* y, unsigned* packed, float* sums, int channels, int pixels,
    int words) {
    constexpr int WIDTH = 32 * PER_WORD, OWN = WIDTH / 8;  // channels of a block, and of a thread
    __shared__ float tile[WIDTH][33];
    const int across = (words + 31) / 32, blocks = (pixels + PACK_PIXELS - 1) / PACK_PIXELS;
    const int first_word = blockIdx.x % across * 32, block = blockIdx.x / across % blocks;
    const int image = blockIdx.x / across / blocks, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    float sum[OWN] = {};
    for (int p = 0; p < PACK_PIXELS; p += 32) {
        const int first = block * PACK_PIXELS + p, channel = first_word * PER_WORD + warp;
        const long long i = ((long long)image * channels + channel) * pixels + first + lane;
        float value[OWN], mask[OWN];
#pragma unroll
        for (int k = 0; k < OWN; k++) {  // all loads first, so that memory serves them together
            const bool is_there = channel + 8 * k < channels && first + lane < pixels;
            value[k] = is_there ? x[i + 8LL * k * pixels] : 0.0f;
            mask[k] = is_there && y != nullptr ? y[i + 8LL * k * pixels] : 1.0f;
        }
#pragma unroll
        for (int k = 0; k < OWN; k++) {
            value[k] = mask[k] <= 0.0f ? 0.0f : value[k];
            sum[k] += value[k];
            tile[warp + 8 * k][lane] = value[k];
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < 4; k++) {
            const int pixel = warp + 8 * k, word = first_word + lane;
            if (first + pixel < pixels && word < words)
                packed[((long long)image * pixels + first + pixel) * words + word] =
                    make_word<PER_WORD>(
                        tile[PER_WORD * lane][pixel], tile[PER_WORD * lane + PER_WORD - 1][pixel]);
        }
        __syncthreads();
    }
    if (sums == nullptr) return;
#pragma unroll
    for (int k = 0; k < OWN; k++) tile[warp + 8 * k][lane] = sum[k];
    __syncthreads();
    const int channel = first_word * PER_WORD + threadIdx.x;
    if (threadIdx.x >= WIDTH || channel >= channels) return;
    float total = 0.0f;
    for (int k = 0; k < 32; k++) total += tile[threadIdx.x][k];
    sums[((long long)image * channels + channel) * blocks + block] = total;
}

// filters (O, 9, words of C) from weight (O, C, 3, 3); or, turned by half a turn for the gradient of
// x, (C, 9, words of O). One thread a word.
template <int PER_WORD>
__device__ inline void pack_weights(
    const float* weight, unsigned* filters, int out_channels, int channels, int words, int turned) {
    const int rows = turned ? channels : out_channels, depth = turned ? out_channels : channels;
    const long long i = thread_index();
    if (i >= 9LL * rows * words) return;
    const int word = i % words, tap = i / words % 9, row = i / words / 9;
    float values[2] = {};
#pragma unroll
    for (int k = 0; k < PER_WORD; k++) {
        const int channel = PER_WORD * word + k;
        const long long filter = turned ? (long long)channel * channels + row
                                        : (long long)row * channels + channel;
        if (channel < depth) values[k] = weight[9 * filter + (turned ? 8 - tap : tap)];
    }
    filters[i] = make_word<PER_WORD>(values[0], values[1]);
}
