// 3x3 convolution as matrix products on tensor cores, its columns never written to memory.
// Lesson: lessons/15-fast-on-a-gpu.md.
//
//     y[o, p] = sum over k of filter[o, k] column[p, k]       k = (tap, channel) of a patch
//
// p counts the output pixels of all images; column[p, k] is found in x while it is loaded (an
// implicit im2col). The gradient of x is the same convolution of dy, padded by 2, with turned
// filters; the gradient of the filters is the product over p instead of k, cut into slices.
//
// All factors are packed beforehand, channels last: (N, H, W, words), a word being one number in
// tf32 or two neighbouring channels in bf16, rounded, and the words of a pixel a multiple of four.
// So 16 bytes go from memory to shared memory in one instruction that waits for nothing (cp.async),
// while the product of an earlier stage is made: of three stages two are on their way. A block of
// 8 warps, 2 by 4, makes BM x 128 sums, 16 words of k, or 16 words' worth of pixels, at a stage.
// Sums are float32. The stages of BM = 128 fill the 48 KiB that a block has without asking.
#include "common.cuh"
#include "mma.cuh"

constexpr int BN = 128, DEPTH = 16, THREADS = 256, STAGES = 3;
constexpr int CHUNK = 4;  // words in 16 bytes, copied at once

template <int BM>
using Sums = float[BM / 32][4][4];  // of a thread: 16x8 fragments of its warp's BM/2 x 32 sums

struct Warp {  // where a thread's warp works in the block's tile, and the thread in a fragment
    int row, column, lane;
    template <int BM>
    static __device__ inline Warp of() {
        const int warp = threadIdx.x / 32;
        return {warp % 2 * (BM / 2), warp / 2 * 32, (int)threadIdx.x % 32};
    }
};

// Call put(m, n, values) for each pair of neighbouring columns that this thread has the sums of.
template <int BM, class Put>
__device__ inline void put_sums(const Sums<BM>& sum, const Put& put) {
    const Warp warp = Warp::of<BM>();
#pragma unroll
    for (int j = 0; j < 4; j++)
#pragma unroll
        for (int i = 0; i < BM / 32; i++)
#pragma unroll
            for (int r = 0; r < 4; r += 2)
                put(warp.row + 16 * i + r / 2 * 8 + warp.lane / 4,
                    warp.column + 8 * j + warp.lane % 4 * 2, &sum[i][j][r]);
}

// Call load(stage) and multiply(stage) `count` times each, the loads two stages ahead.
template <class Load, class Multiply>
__device__ inline void pipeline(int count, Load& load, const Multiply& multiply) {
    int ahead = 0, stage = 0;
    auto next = [](int stage) { return stage == STAGES - 1 ? 0 : stage + 1; };
    for (int s = 1 - STAGES; s < count; s++) {
        if (s >= 0) {
            wait_for_copies<STAGES - 2>();
            __syncthreads();  // all threads' copies are there, and nobody reads the oldest stage
        }
        if (s + STAGES - 1 < count) load(ahead);
        commit_copies();
        ahead = next(ahead);
        if (s < 0) continue;
        multiply(stage);
        stage = next(stage);
    }
}

// ---- y and dx: both factors lie with k as the fastest axis

// Where word k of row m lies in a tile of rows of DEPTH words: 16-byte chunks change places so that
// the eight rows that are read together fall into different banks.
__device__ inline int by_row(int m, int chunk) {
    return m * DEPTH + (chunk ^ (m / 2 % 4)) * CHUNK;
}

template <int PER_WORD, int BM>
__device__ inline void multiply_rows(const unsigned* a, const unsigned* b, Sums<BM>& sum) {
    const Warp warp = Warp::of<BM>();
#pragma unroll
    for (int k = 0; k < DEPTH / CHUNK; k += 2) {
        unsigned factor_a[BM / 32][4], factor_b[4][2];
        const int row = warp.lane % 16, half = warp.lane / 16;
#pragma unroll
        for (int i = 0; i < BM / 32; i++)
            load_matrices(factor_a[i], a + by_row(warp.row + 16 * i + row, k + half));
#pragma unroll
        for (int j = 0; j < 4; j += 2) {
            const int n = warp.column + 8 * j + half * 8 + row % 8;
            unsigned words[4];
            load_matrices(words, b + by_row(n, k + row / 8));
            factor_b[j][0] = words[0], factor_b[j][1] = words[1];
            factor_b[j + 1][0] = words[2], factor_b[j + 1][1] = words[3];
        }
#pragma unroll
        for (int i = 0; i < BM / 32; i++)
#pragma unroll
            for (int j = 0; j < 4; j++) run_mma<PER_WORD>(sum[i][j], factor_a[i], factor_b[j]);
    }
}

// y (N, O, H + 2 pad - 2, W + 2 pad - 2) from packed x (N, H, W, words), filters (O, 9, words); or
// y (slices, N, O, ...), each slice's share over its part of k, which others add up.
template <int PER_WORD, int BM>
__device__ inline void convolve(
    const unsigned* x, const unsigned* filters, const float* bias, float* y, int images, int words,
    int height, int width, int out_channels, int pad, int relu, int slices) {
    alignas(16) __shared__ unsigned tiles_a[STAGES][BM * DEPTH], tiles_b[STAGES][BN * DEPTH];
    const int out_width = width + 2 * pad - 2, map = (height + 2 * pad - 2) * out_width;
    const int row_blocks = (out_channels + BM - 1) / BM, chunks = words / CHUNK;
    const int column_blocks = (images * map + BN - 1) / BN;
    const int first_o = blockIdx.x % row_blocks * BM;
    const int first_p = blockIdx.x / row_blocks % column_blocks * BN;
    const int slice = blockIdx.x / row_blocks / column_blocks;
    const int stages = (9 * words + DEPTH - 1) / DEPTH, part = (stages + slices - 1) / slices;
    const int first = min(slice * part, stages), last = min(first + part, stages);

    // A thread copies one chunk of every 64th row of a tile: those rows are the same at all stages.
    const int mine = threadIdx.x % 4, row = threadIdx.x / 4;
    int top[BN / 64], left[BN / 64];
    const unsigned* corner[BN / 64];
#pragma unroll
    for (int s = 0; s < BN / 64; s++) {
        const int p = first_p + row + 64 * s, image = p / map;
        top[s] = image < images ? p % map / out_width - pad : -height - 3;
        left[s] = p % out_width - pad;
        corner[s] = x + (((long long)image * height + top[s]) * width + left[s]) * words;
    }
    // This thread's chunk of a row of k, counted through, and where it is: tap and channel.
    int k = first * (DEPTH / CHUNK) + mine, tap = k / chunks, chunk = k % chunks;
    auto load = [&](int stage) {
        const int i = tap / 3, j = tap - 3 * i;
        const int step = (i * width + j) * words + chunk * CHUNK;
#pragma unroll
        for (int s = 0; s < BM / 64; s++) {
            const int o = first_o + row + 64 * s;
            const bool is_there = o < out_channels && tap < 9;
            const unsigned* from = filters + ((long long)o * 9 * chunks + k) * CHUNK;
            copy_chunk(tiles_a[stage] + by_row(row + 64 * s, mine), is_there ? from : filters, is_there);
        }
#pragma unroll
        for (int s = 0; s < BN / 64; s++) {
            const bool is_in = (unsigned)(top[s] + i) < (unsigned)height &&
                               (unsigned)(left[s] + j) < (unsigned)width && tap < 9;
            copy_chunk(tiles_b[stage] + by_row(row + 64 * s, mine), is_in ? corner[s] + step : x, is_in);
        }
        k += DEPTH / CHUNK;
        for (chunk += DEPTH / CHUNK; chunk >= chunks; chunk -= chunks) tap++;
    };
    Sums<BM> sum = {};
    pipeline(last - first, load, [&](int stage) {
        multiply_rows<PER_WORD, BM>(tiles_a[stage], tiles_b[stage], sum);
    });
    y += (long long)slice * images * out_channels * map;
    put_sums<BM>(sum, [&](int m, int n, const float* values) {
        const int o = first_o + m;
#pragma unroll
        for (int c = 0; c < 2; c++) {
            const int p = first_p + n + c, image = p / map;
            if (o >= out_channels || image >= images) continue;
            float value = bias == nullptr ? values[c] : values[c] + bias[o];
            if (relu) value = larger(value, 0.0f);
            y[((long long)image * out_channels + o) * map + p % map] = value;
        }
    });
}

// ---- dweight: both factors lie with k, the pixel, as the slowest axis

// Where a chunk of pixel k lies in a tile of rows of `words` words: again other banks for the rows
// that are read together, eight of bf16 and four of tf32.
template <int PER_WORD>
__device__ inline int by_pixel(int k, int chunk, int words) {
    return k * words + (chunk ^ (PER_WORD == 2 ? k % 8 : k % 4 * 2)) * CHUNK;
}

// The fragment of 16 rows from m on, or 8 columns if !IS_A, that begins at pixel k.
template <int PER_WORD, bool IS_A>
__device__ inline void load_fragment(
    unsigned* words, const unsigned* tile, int k, int m, int width) {
    const int lane = threadIdx.x % 32;
    if (PER_WORD == 2) {  // turned while they are loaded: 8x8 blocks of pixels and channels
        const int pixel = k + lane % 8 + (IS_A ? lane / 16 : lane / 8 % 2) * 8;
        const int chunk = m / 8 + (IS_A ? lane / 8 % 2 : lane / 16);
        load_matrices_turned(words, tile + by_pixel<2>(pixel, chunk, width));
    } else {
#pragma unroll
        for (int r = 0; r < 4; r++) {
            const int pixel = k + lane % 4 + (IS_A ? r / 2 : r % 2) * 4;
            const int channel = m + lane / 4 + (IS_A ? r % 2 : r / 2) * 8;
            words[r] = tile[by_pixel<1>(pixel, channel / CHUNK, width) + channel % CHUNK];
        }
    }
}

template <int PER_WORD, int BM>
__device__ inline void multiply_pixels(const unsigned* a, const unsigned* b, Sums<BM>& sum) {
    const Warp warp = Warp::of<BM>();
#pragma unroll
    for (int k = 0; k < PER_WORD * DEPTH; k += 8 * PER_WORD) {
        unsigned factor_a[BM / 32][4], factor_b[4];
#pragma unroll
        for (int i = 0; i < BM / 32; i++)
            load_fragment<PER_WORD, true>(factor_a[i], a, k, warp.row + 16 * i, BM / PER_WORD);
#pragma unroll
        for (int j = 0; j < 4; j += 2) {  // two columns of fragments at once
            load_fragment<PER_WORD, false>(factor_b, b, k, warp.column + 8 * j, BN / PER_WORD);
#pragma unroll
            for (int i = 0; i < BM / 32; i++) {
                run_mma<PER_WORD>(sum[i][j], factor_a[i], factor_b);
                run_mma<PER_WORD>(sum[i][j + 1], factor_a[i], factor_b + 2);
            }
        }
    }
}

// partial (slices, O, 9 * channels): each slice's share of dweight, over its part of the pixels.
// dy (N, H - 2, W - 2, out words) and x (N, H, W, words) are packed; `channels` counts all that the
// words of a pixel have room for.
template <int PER_WORD, int BM>
__device__ inline void convolve_filters(
    const unsigned* dy, const unsigned* x, float* partial, int images, int words, int height,
    int width, int out_channels, int out_words, int slices) {
    constexpr int PIXELS = PER_WORD * DEPTH;                       // at a stage
    constexpr int ROW_A = BM / PER_WORD / CHUNK, ROW_B = BN / PER_WORD / CHUNK;  // chunks a pixel
    alignas(16) __shared__ unsigned tiles_a[STAGES][BM * DEPTH], tiles_b[STAGES][BN * DEPTH];
    const int out_width = width - 2, map = (height - 2) * out_width, pixels = images * map;
    const int columns = 9 * words * PER_WORD, chunks = words / CHUNK;
    const int row_blocks = (out_channels + BM - 1) / BM, column_blocks = (columns + BN - 1) / BN;
    const int first_o = blockIdx.x % row_blocks * BM;
    const int first_n = blockIdx.x / row_blocks % column_blocks * BN;
    const int slice = blockIdx.x / row_blocks / column_blocks;
    const int length = ((pixels + slices - 1) / slices + PIXELS - 1) / PIXELS * PIXELS;
    const int first_p = min(slice * length, pixels), last_p = min(first_p + length, pixels);

    // A thread copies one chunk of every so many pixels: its channels are the same at all stages.
    constexpr int STEP_A = THREADS / ROW_A, STEP_B = THREADS / ROW_B;
    const int chunk_a = threadIdx.x % ROW_A, chunk_b = threadIdx.x % ROW_B;
    const int o = first_o / PER_WORD + chunk_a * CHUNK, k = first_n / PER_WORD / CHUNK + chunk_b;
    const int tap = k / chunks;
    const bool has_o = o < out_words, has_k = tap < 9;
    int pixel_a = first_p + threadIdx.x / ROW_A, pixel_b = first_p + threadIdx.x / ROW_B;
    const unsigned* gradients = dy + (long long)pixel_a * out_words + o;
    // Where pixel_b's chunk is in x: a walk along rows that are two shorter than those of x.
    int column = pixel_b % out_width, row = pixel_b / out_width;  // of all images' rows
    const unsigned* corner =
        x + ((long long)(row + row / (height - 2) * 2 + tap / 3) * width + tap % 3) * words +
        k % chunks * CHUNK;
    row %= height - 2;
    auto load = [&](int stage) {
#pragma unroll
        for (int s = 0; s < PIXELS; s += STEP_A) {
            const bool is_there = has_o && pixel_a + s < last_p;
            const int place = by_pixel<PER_WORD>(threadIdx.x / ROW_A + s, chunk_a, BM / PER_WORD);
            copy_chunk(tiles_a[stage] + place, is_there ? gradients + s * out_words : dy, is_there);
        }
        pixel_a += PIXELS;
        gradients += PIXELS * out_words;
#pragma unroll
        for (int s = 0; s < PIXELS; s += STEP_B) {
            for (; column >= out_width; column -= out_width) {
                corner += width * words;
                if (++row == height - 2) row = 0, corner += 2 * width * words;
            }
            const bool is_there = has_k && pixel_b < last_p;
            const int place = by_pixel<PER_WORD>(threadIdx.x / ROW_B + s, chunk_b, BN / PER_WORD);
            copy_chunk(tiles_b[stage] + place, is_there ? corner + column * words : x, is_there);
            pixel_b += STEP_B;
            column += STEP_B;
        }
    };
    Sums<BM> sum = {};
    pipeline((last_p - first_p + PIXELS - 1) / PIXELS, load, [&](int stage) {
        multiply_pixels<PER_WORD, BM>(tiles_a[stage], tiles_b[stage], sum);
    });
    put_sums<BM>(sum, [&](int m, int n, const float* values) {
#pragma unroll
        for (int c = 0; c < 2; c++)
            if (first_o + m < out_channels && first_n + n + c < columns)
                partial[((long long)slice * out_channels + first_o + m) * columns + first_n + n + c] =
                    values[c];
    });
}
