// Winograd F(4x4, 3x3) in one kernel: v and m (winograd.cu) never leave the multiprocessor.
// For few channels, whose products are too short to pay for 36 numbers a tile, written and read.
// Lesson: lessons/15-fast-on-a-gpu.md.
//
// A block makes the 512 products u v of some output channels and some neighbouring tiles, at each of
// the 36 positions, in registers: 96 sums a thread. It takes the input channels in chunks of DEPTH:
// some of its threads transform patches into shared memory, the others copy u there, then all
// multiply. Two blocks share a multiprocessor, so that one multiplies while the other one waits for
// memory. The gradient of x is the same convolution of dy, padded by 2, with turned filters. The
// gradient of the filters is the product over the tiles instead of the channels, cut into slices.
#include "common.cuh"
#include "tiles.cuh"

constexpr int THREADS = 192;  // six warps: sixteen threads for every three positions
constexpr int DEPTH = 4;      // channels (of the filters' gradient: tiles) of a chunk
constexpr int IN = 16;        // channels of x that a block of the filters' gradient takes
constexpr int GAP = 8;        // floats between its rows: tiles and channels go to different banks

struct Share {  // which sums a thread has: 3 positions, 8 rows and 4 columns of the product
    int position, row, column, part;
};

// Where 8 of the 16 threads suffice for the product, the others take every second term: part 1.
template <int ROWS, int COLUMNS>
__device__ inline Share share_of() {
    constexpr int ACROSS = COLUMNS / 4, ENOUGH = ROWS / 8 * ACROSS;
    const int thread = threadIdx.x % 16;
    const int row = thread % ENOUGH / ACROSS * 8, column = thread % ACROSS * 4;
    return {(int)threadIdx.x / 16 * 3, row, column, thread / ENOUGH};
}

// sums += left' right for one chunk: left (36, DEPTH, ROWS + SPARE) and right (36, DEPTH, COLUMNS +
// SPARE) lie in shared memory. Nine loads of 16 bytes serve 96 multiplications; the eight threads
// that are served at a time read the same numbers or neighbours, from different banks.
template <int ROWS, int COLUMNS, int SPARE>
__device__ inline void multiply(const float* left, const float* right, float sums[3][8][4]) {
    constexpr int PARTS = 512 / (ROWS * COLUMNS);
    const Share share = share_of<ROWS, COLUMNS>();
#pragma unroll 1  // else the compiler loads further ahead than there are registers for
    for (int k = share.part; k < DEPTH; k += PARTS)
#pragma unroll
        for (int p = 0; p < 3; p++) {
            const int at = (share.position + p) * DEPTH + k;
            const float* rows = left + at * (ROWS + SPARE) + share.row;
            const float4 low = *(const float4*)rows, high = *(const float4*)(rows + 4);
            const float4 b = *(const float4*)(right + at * (COLUMNS + SPARE) + share.column);
            const float a[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
#pragma unroll
            for (int r = 0; r < 8; r++) {
                sums[p][r][0] += a[r] * b.x;
                sums[p][r][1] += a[r] * b.y;
                sums[p][r][2] += a[r] * b.z;
                sums[p][r][3] += a[r] * b.w;
            }
        }
}

// Put half of the sums, rows half … half + 3 of each thread's 8, into shared memory as (36, parts,
// ROWS / 2, COLUMNS), 256 numbers a position: all of them would not fit.
template <int ROWS, int COLUMNS>
__device__ inline void put_half(const float sums[3][8][4], int half, float* shared) {
    const Share share = share_of<ROWS, COLUMNS>();
    float* place = shared + share.position * 256 + share.part * (ROWS / 2 * COLUMNS) +
                   share.row / 2 * COLUMNS + share.column;
    __syncthreads();
#pragma unroll
    for (int k = 0; k < 12; k++) {
        const float* four = sums[k / 4][half + k % 4];
        *(float4*)(place + k / 4 * 256 + k % 4 * COLUMNS) =
            make_float4(four[0], four[1], four[2], four[3]);
    }
    __syncthreads();
}

// The row of the product that became row `row` of a half.
__device__ inline int row_of(int row, int half) { return row / 4 * 8 + half + row % 4; }

// Load SIZE x SIZE numbers of a tile's channel from x (N, C, H, W); what lies beyond the map counts
// as 0. Rows of even width are loaded in pairs, half as many loads: of a pair both lie in the map or
// none does.
template <int SIZE>
__device__ inline void load_window(
    const float* x, const Tile& tile, int pad, int channels, int height, int width,
    float values[SIZE * SIZE]) {
    const int top = 4 * tile.row - pad, left = 4 * tile.column - pad;
    const bool exists = tile.exists && tile.channel < channels;
    const bool in_pairs = width % 2 == 0 && (unsigned long long)x % 8 == 0;
    const long long map = (long long)tile.image * channels + tile.channel;
    const long long corner = (map * height + top) * width + left;
    auto is_inside = [&](int k) {
        const int row = top + k / SIZE, column = left + k % SIZE;
        return exists && row >= 0 && row < height && column >= 0 && column < width;
    };
#pragma unroll
    for (int k = 0; k < SIZE * SIZE; k += 2) {
        const float* two = x + corner + k / SIZE * width + k % SIZE;
        float2 pair = make_float2(0.0f, 0.0f);
        if (in_pairs) {
            if (is_inside(k)) pair = *(const float2*)two;
        } else {
            if (is_inside(k)) pair.x = two[0];
            if (is_inside(k + 1)) pair.y = two[1];
        }
        values[k] = pair.x;
        values[k + 1] = pair.y;
    }
}

// Store the 4x4 numbers of a tile's channel in x (N, C, H, W), those inside.
__device__ inline void store_window(
    const float values[16], float* x, const Tile& tile, int channels, int height, int width) {
    if (!tile.exists || tile.channel >= channels) return;
    float* map = x + ((long long)tile.image * channels + tile.channel) * height * width;
#pragma unroll
    for (int a = 0; a < 4; a++)
        if (4 * tile.row + a < height)
            store_row(
                values + 4 * a, map + (long long)(4 * tile.row + a) * width, 4 * tile.column, width);
}

// u: the filters' points in the order in which blocks want them, (groups of `out` output channels,
// chunks of DEPTH channels, 36, DEPTH, out), 0 where there is no channel. `turned`: by half a turn,
// and weight (C, O, 3, 3), for the gradient of x. A thread for each of `size` filters.
extern "C" __global__ void __launch_bounds__(128) fused_filters(
    const float* weight, float* u, int out_channels, int channels, int out, int turned, int size) {
    const int i = thread_index();
    if (i >= size) return;
    const int o = i % out, k = i / out % DEPTH, chunk = i / out / DEPTH;  // of all groups
    const int chunks = (channels + DEPTH - 1) / DEPTH;
    const int from = chunk % chunks * DEPTH + k, to = chunk / chunks * out + o;
    const bool exists = from < channels && to < out_channels;
    const long long filter = turned ? from * out_channels + to : to * channels + from;
    float g[9];
#pragma unroll
    for (int t = 0; t < 9; t++) g[t] = exists ? weight[9 * filter + (turned ? 8 - t : t)] : 0.0f;
    float* place = u + (long long)chunk * 36 * DEPTH * out + k * out + o;
    transform_taps(g, [&](int p, float point) { place[p * DEPTH * out] = point; });
}

// y (N, O, H + 2 pad - 2, W + 2 pad - 2) = At m A + bias (null: none), clipped at 0 if `relu`, and
// pooled if it is not null: see write_outputs.
template <int OUT>
__device__ inline void convolve(
    const float* x, const float* u, const float* bias, float* y, float* pooled, int images,
    int channels, int height, int width, int out_channels, int pad, int relu) {
    constexpr int TILES = 512 / OUT, PATCHES = DEPTH * TILES;
    alignas(16) __shared__ float shared[36 * 256];  // a chunk of u and v; in the end half of m
    float *filters = shared, *patches = shared + 36 * DEPTH * OUT;
    const int out_height = height + 2 * pad - 2, out_width = width + 2 * pad - 2;
    const int tile_rows = (out_height + 3) / 4, tile_columns = (out_width + 3) / 4;
    const int groups = (out_channels + OUT - 1) / OUT, chunks = (channels + DEPTH - 1) / DEPTH;
    const int group = blockIdx.x % groups, first = blockIdx.x / groups * TILES;
    const int thread = threadIdx.x;
    Tile tile = tile_of(first + thread % TILES, thread / TILES, images, tile_rows, tile_columns);
    const float4* chunk_of_u = (const float4*)u + (long long)group * chunks * 9 * DEPTH * OUT;
    float sums[3][8][4] = {};
    for (int chunk = 0; chunk < chunks; chunk++) {
        if (thread < PATCHES) {
            float d[36];
            load_window<6>(x, tile, pad, channels, height, width, d);
            transform_patch(d, [&](int p, float v) { patches[p * PATCHES + thread] = v; });
        } else {
            for (int k = thread - PATCHES; k < 9 * DEPTH * OUT; k += THREADS - PATCHES)
                ((float4*)filters)[k] = chunk_of_u[k];
        }
        __syncthreads();
        multiply<OUT, TILES, 0>(filters, patches, sums);
        __syncthreads();
        tile.channel += DEPTH;
        chunk_of_u += 9 * DEPTH * OUT;
    }

#pragma unroll
    for (int half = 0; half < 8; half += 4) {
        put_half<OUT, TILES>(sums, half, shared);
        for (int i = thread; i < 256; i += THREADS) {  // from 36 positions to 4x4 outputs
            const int o = group * OUT + row_of(i / TILES, half);
            const Tile at = tile_of(first + i % TILES, o, images, tile_rows, tile_columns);
            if (!at.exists || o >= out_channels) continue;
            const float shift = bias == nullptr ? 0.0f : bias[o];
            write_outputs(
                shared + i, 256, at, shift, relu, y, pooled, out_channels, out_height, out_width);
        }
    }
}

extern "C" __global__ void __launch_bounds__(192, 2) fused_conv_16(
    const float* x, const float* u, const float* bias, float* y, float* pooled, int images,
    int channels, int height, int width, int out_channels, int pad, int relu) {
    convolve<16>(
        x, u, bias, y, pooled, images, channels, height, width, out_channels, pad, relu);
}

extern "C" __global__ void __launch_bounds__(192, 2) fused_conv_32(
    const float* x, const float* u, const float* bias, float* y, float* pooled, int images,
    int channels, int height, int width, int out_channels, int pad, int relu) {
    convolve<32>(
        x, u, bias, y, pooled, images, channels, height, width, out_channels, pad, relu);
}

// Each slice's share of du and dbias, for dy (N, O, H - 2, W - 2) and x (N, C, H, W): a row of partial
// has (36 O C + O) numbers. A block makes OUT x IN sums at each position, over its slice of the
// tiles, of which a chunk has DEPTH. dy counts as 0 where mask <= 0 (mask null: no ReLU), and goes to
// `masked` so, if that is not null, for the gradient of x.
template <int OUT>
__device__ inline void differentiate(
    const float* dy, const float* mask, const float* x, float* partial, float* masked, int images,
    int channels, int height, int width, int out_channels, int slices) {
    constexpr int ROWS = OUT + GAP, COLUMNS = IN + GAP, HALF = 36 * 256;
    constexpr int ROOM = 36 * DEPTH * (ROWS + COLUMNS);
    alignas(16) __shared__ float shared[ROOM > HALF ? ROOM : HALF];
    float *gradients = shared, *patches = shared + 36 * DEPTH * ROWS;
    const int out_height = height - 2, out_width = width - 2;
    const int tile_rows = (out_height + 3) / 4, tile_columns = (out_width + 3) / 4;
    const int groups = (channels + IN - 1) / IN, out_groups = (out_channels + OUT - 1) / OUT;
    const int first_c = blockIdx.x % groups * IN, first_o = blockIdx.x / groups % out_groups * OUT;
    const int slice = blockIdx.x / groups / out_groups, tiles = images * tile_rows * tile_columns;
    const int length = ((tiles + slices - 1) / slices + DEPTH - 1) / DEPTH * DEPTH;
    const int last = min((slice + 1) * length, tiles);
    const int thread = threadIdx.x, k = thread % DEPTH, row = thread / DEPTH;
    float sums[3][8][4] = {}, bias = 0.0f;
    for (int t = slice * length; t < last; t += DEPTH) {
        Tile tile = tile_of(t + k, first_o + row, images, tile_rows, tile_columns);
        if (row < OUT) {
            float d[16];
            load_window<4>(dy, tile, 0, out_channels, out_height, out_width, d);
            if (mask != nullptr) {
                float signs[16];
                load_window<4>(mask, tile, 0, out_channels, out_height, out_width, signs);
#pragma unroll
                for (int i = 0; i < 16; i++) d[i] = signs[i] <= 0.0f ? 0.0f : d[i];
            }
            if (masked != nullptr && first_c == 0)
                store_window(d, masked, tile, out_channels, out_height, out_width);
            float* place = gradients + k * ROWS + row;
            transform_gradients(d, [&](int p, float m) { place[p * DEPTH * ROWS] = m; });
        } else if (row < OUT + IN) {
            tile.channel = first_c + row - OUT;
            float d[36];
            load_window<6>(x, tile, 0, channels, height, width, d);
            float* place = patches + k * COLUMNS + row - OUT;
            transform_patch(d, [&](int p, float v) { place[p * DEPTH * COLUMNS] = v; });
        }
        __syncthreads();
        multiply<OUT, IN, GAP>(gradients, patches, sums);
        if (thread < OUT)  // position 7 holds the plain sums of dy
            for (int i = 0; i < DEPTH; i++) bias += gradients[(7 * DEPTH + i) * ROWS + thread];
        __syncthreads();
    }

    const int filters = out_channels * channels;
    float* mine = partial + (long long)slice * (36 * filters + out_channels);
    if (thread < OUT && first_o + thread < out_channels && first_c == 0)
        mine[36 * filters + first_o + thread] = bias;
    constexpr int PAIRS = OUT / 2 * IN;  // of channels, in each half
#pragma unroll
    for (int half = 0; half < 8; half += 4) {
        put_half<OUT, IN>(sums, half, shared);
        for (int i = thread; i < 36 * PAIRS; i += THREADS) {
            const int position = i / PAIRS, pair = i % PAIRS;
            const int o = first_o + row_of(pair / IN, half), c = first_c + pair % IN;
            const float* sum = shared + position * 256 + pair;
            if (o < out_channels && c < channels)
                mine[position * filters + o * channels + c] =
                    PAIRS == 256 ? *sum : sum[0] + sum[PAIRS];
        }
    }
}

extern "C" __global__ void __launch_bounds__(192, 2) fused_gradient_16(
    const float* dy, const float* mask, const float* x, float* partial, float* masked, int images,
    int channels, int height, int width, int out_channels, int slices) {
    differentiate<16>(
        dy, mask, x, partial, masked, images, channels, height, width, out_channels, slices);
}

extern "C" __global__ void __launch_bounds__(192, 2) fused_gradient_32(
    const float* dy, const float* mask, const float* x, float* partial, float* masked, int images,
    int channels, int height, int width, int out_channels, int slices) {
    differentiate<32>(
        dy, mask, x, partial, masked, images, channels, height, width, out_channels, slices);
}
