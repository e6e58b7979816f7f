// Winograd F(4x4, 3x3): the transforms around one batched matrix product.
// Source: Lavin and Gray, arXiv 1509.09308. Lesson: lessons/15-fast-on-a-gpu.md.
//
//     y = At [(G g Gt) * (Bt d B)] A       6x6 inputs d, 3x3 filter g, 4x4 outputs y
//
// with the points 0, 1, -1, 1/2, -2 and infinity: a third less rounding than with 2 for 1/2, and
// the point 1 makes dbias free (see transform_gradient). Legend: T tiles = images * tile_rows *
// tile_columns, counted t, row by row; u (36, O, C), v (36, S, C, T'), m (36, S, O, T'): S slices of
// T' tiles, so that a sum over all tiles can be made by S products side by side; the last slice ends
// with tiles that are not there, all 0. The 36 positions are 6 * row + column. One thread does one
// tile of one channel (or one filter); consecutive threads do consecutive t, so all accesses to v
// and m are coalesced.
#include "common.cuh"
#include "tiles.cuh"

// The tile that belongs to place `i` of one position of v or m.
__device__ inline Tile tile_at(int i, int channels, int images, int tile_rows, int tile_columns, int slice) {
    const int row = i / slice, t = row / channels * slice + i % slice;
    return tile_of(t, row % channels, images, tile_rows, tile_columns);
}

// v = Bt d B for every tile and channel of x (N, C, H, W); what lies beyond the image counts as 0.
extern "C" __global__ void __launch_bounds__(128) transform_input(
    const float* x, float* v, int images, int channels, int height, int width, int tile_rows,
    int tile_columns, int slices, int slice) {
    const int i = thread_index(), stride = slices * channels * slice;
    if (i >= stride) return;
    const Tile tile = tile_at(i, channels, images, tile_rows, tile_columns, slice);
    const int top = 4 * tile.row, left = 4 * tile.column;
    const float* image = x + ((long long)tile.image * channels + tile.channel) * height * width;
    float d[36];
#pragma unroll
    for (int k = 0; k < 36; k++) {
        const int row = top + k / 6, column = left + k % 6;
        const bool inside = tile.exists && row < height && column < width;
        d[k] = inside ? image[(long long)row * width + column] : 0.0f;
    }
    transform_patch(d, [&](int p, float point) { v[(long long)p * stride + i] = point; });
}

// u = G g Gt for each of `filters` = O * C filters of weight (O, C, 3, 3).
extern "C" __global__ void __launch_bounds__(128) transform_filter(
    const float* weight, float* u, int filters) {
    const long long i = thread_index();
    if (i >= filters) return;
    float g[9];
#pragma unroll
    for (int k = 0; k < 9; k++) g[k] = weight[9 * i + k];
    transform_taps(g, [&](int p, float point) { u[(long long)p * filters + i] = point; });
}

// dweight = Gt du G, the adjoint of transform_filter; du (36, S, O, C), of which the slices add up.
extern "C" __global__ void __launch_bounds__(128) filter_gradient(
    const float* du, float* dweight, int filters, int slices) {
    const long long i = thread_index();
    if (i >= filters) return;
    float columns[6][6], half[3][6];  // half[tap row][column point]
    load_positions(du + i, (long long)slices * filters, columns);
    for (int s = 1; s < slices; s++) {
        float more[6][6];
        load_positions(du + (long long)s * filters + i, (long long)slices * filters, more);
#pragma unroll
        for (int k = 0; k < 36; k++) columns[k / 6][k % 6] += more[k / 6][k % 6];
    }
#pragma unroll
    for (int b = 0; b < 6; b++) {
        float g[3];
        filter_points_adjoint(columns[b], g);
#pragma unroll
        for (int a = 0; a < 3; a++) half[a][b] = g[a];
    }
#pragma unroll
    for (int a = 0; a < 3; a++) {
        float g[3];
        filter_points_adjoint(half[a], g);
#pragma unroll
        for (int b = 0; b < 3; b++) dweight[9 * i + 3 * a + b] = g[b];
    }
}

// y (N, O, H, W) = At m A + bias, clipped at 0 if `relu`, and pooled if it is not null.
extern "C" __global__ void __launch_bounds__(128) inverse_output(
    const float* m, const float* bias, float* y, float* pooled, int images, int channels,
    int height, int width, int tile_rows, int tile_columns, int slices, int slice, int relu) {
    const int i = thread_index(), stride = slices * channels * slice;
    if (i >= stride) return;
    const Tile tile = tile_at(i, channels, images, tile_rows, tile_columns, slice);
    if (!tile.exists) return;
    const float shift = bias[tile.channel];
    write_outputs(m + i, stride, tile, shift, relu, y, pooled, channels, height, width);
}

// dm = A dy At, the adjoint of inverse_output, with the ReLU's mask y > 0 fused (y null: no ReLU).
extern "C" __global__ void __launch_bounds__(128) transform_gradient(
    const float* dy, const float* y, float* dm, int images, int channels, int height, int width,
    int tile_rows, int tile_columns, int slices, int slice) {
    const int i = thread_index(), stride = slices * channels * slice;
    if (i >= stride) return;
    const Tile tile = tile_at(i, channels, images, tile_rows, tile_columns, slice);
    const int top = 4 * tile.row, left = 4 * tile.column;
    const long long image = ((long long)tile.image * channels + tile.channel) * height * width;
    float gradients[16];
#pragma unroll
    for (int k = 0; k < 16; k++) {
        const int row = top + k / 4, column = left + k % 4;
        const bool inside = tile.exists && row < height && column < width;
        const long long pixel = image + (long long)row * width + column;
        const float mask = inside && y != nullptr ? y[pixel] : 1.0f;
        const float given = inside ? dy[pixel] : 0.0f;  // no "if": that would wait for mask
        gradients[k] = mask <= 0.0f ? 0.0f : given;
    }
    transform_gradients(gradients, [&](int p, float m) { dm[(long long)p * stride + i] = m; });
}

// Add rows ROW … and columns COLUMN … of B dv Bt, for one tile, to the corner of `block`.
template <int ROW, int COLUMN>
__device__ inline void add_tile(const float* dv, long long stride, float block[4][4]) {
    constexpr int ROWS = ROW == 0 ? 4 : 2, COLUMNS = COLUMN == 0 ? 4 : 2;
    float columns[6][6], half[ROWS][6];
    load_positions(dv, stride, columns);
#pragma unroll
    for (int b = 0; b < 6; b++) {
        float rows[6];
        input_points_adjoint(columns[b], rows);
#pragma unroll
        for (int a = 0; a < ROWS; a++) half[a][b] = rows[ROW + a];
    }
#pragma unroll
    for (int a = 0; a < ROWS; a++) {
        float row[6];
        input_points_adjoint(half[a], row);
#pragma unroll
        for (int b = 0; b < COLUMNS; b++) block[a][b] += row[COLUMN + b];
    }
}

// dx (N, C, H, W): the overlapping sum of B dv Bt, the adjoint of transform_input. Tiles are 6 wide
// and 4 apart, so a 4x4 block of dx collects from its own tile and from those above, to the left
// and above-left. `blocks` counts the blocks that cover dx; the last may have no tile of its own.
extern "C" __global__ void __launch_bounds__(128) input_gradient(
    const float* dv, float* dx, int images, int channels, int height, int width, int tile_rows,
    int tile_columns, int block_rows, int block_columns, int slices, int slice) {
    const int i = thread_index(), blocks = images * block_rows * block_columns;
    if (i >= channels * blocks) return;
    const Tile at = tile_at(i, channels, images, block_rows, block_columns, blocks);
    const int stride = slices * channels * slice;
    const int t = (at.image * tile_rows + at.row) * tile_columns + at.column;
    auto tile = [&](int t) { return dv + (t / slice * channels + at.channel) * slice + t % slice; };
    const bool row = at.row < tile_rows, column = at.column < tile_columns;
    const bool above = at.row > 0, before = at.column > 0;
    float block[4][4] = {};
    if (row && column) add_tile<0, 0>(tile(t), stride, block);
    if (row && before) add_tile<0, 4>(tile(t - 1), stride, block);
    if (above && column) add_tile<4, 0>(tile(t - tile_columns), stride, block);
    if (above && before) add_tile<4, 4>(tile(t - tile_columns - 1), stride, block);
    const int top = 4 * at.row, left = 4 * at.column;
    float* image = dx + ((long long)at.image * channels + at.channel) * height * width;
#pragma unroll
    for (int a = 0; a < 4; a++) {
        if (top + a >= height) continue;
        store_row(block[a], image + (long long)(top + a) * width, left, width);
    }
}
