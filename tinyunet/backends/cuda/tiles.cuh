// One tile's way through Winograd F(4x4, 3x3), in both directions, on numbers in registers: what
// winograd.cu does around its products and fused.cu within one kernel.
// Position p = 6 * row + column of the 36 is handed to `store(p, value)`.
#include "winograd.cuh"

struct Tile {  // where a tile lies, and of which channel it is
    int channel, image, row, column;
    bool exists;
};

// Tile `t` of all images, counted row by row.
__device__ inline Tile tile_of(int t, int channel, int images, int tile_rows, int tile_columns) {
    const int image = t / (tile_columns * tile_rows);
    return {channel, image, t / tile_columns % tile_rows, t % tile_columns, image < images};
}

// Load a tile's 36 products, `stride` apart: columns[j][i] is position (i, j).
__device__ inline void load_positions(const float* m, long long stride, float columns[6][6]) {
#pragma unroll
    for (int i = 0; i < 6; i++)
#pragma unroll
        for (int j = 0; j < 6; j++) columns[j][i] = m[(6 * i + j) * stride];
}

// Store four neighbours of a row, those inside. Where all rows begin on 8 bytes they go in pairs:
// half as many writes, and every map of a U is of even width.
__device__ inline void store_row(const float values[4], float* row, int left, int width) {
#pragma unroll
    for (int b = 0; b < 4; b += 2) {
        if (width % 2 == 0) {
            if (left + b >= width) continue;
            *reinterpret_cast<float2*>(row + left + b) = make_float2(values[b], values[b + 1]);
        } else {
            if (left + b < width) row[left + b] = values[b];
            if (left + b + 1 < width) row[left + b + 1] = values[b + 1];
        }
    }
}

// Bt d B of a patch d (6, 6).
template <typename Store>
__device__ inline void transform_patch(const float d[36], const Store& store) {
    float half[6][6];  // Bt applied along each row: half[column point][row]
#pragma unroll
    for (int a = 0; a < 6; a++) {
        float points[6];
        input_points(d + 6 * a, points);
#pragma unroll
        for (int b = 0; b < 6; b++) half[b][a] = points[b];
    }
#pragma unroll
    for (int b = 0; b < 6; b++) {
        float points[6];
        input_points(half[b], points);
#pragma unroll
        for (int a = 0; a < 6; a++) store(6 * a + b, points[a]);
    }
}

// G g Gt of a filter g (3, 3).
template <typename Store>
__device__ inline void transform_taps(const float g[9], const Store& store) {
    float half[6][3];  // [column point][row]
#pragma unroll
    for (int a = 0; a < 3; a++) {
        float points[6];
        filter_points(g + 3 * a, points);
#pragma unroll
        for (int b = 0; b < 6; b++) half[b][a] = points[b];
    }
#pragma unroll
    for (int b = 0; b < 6; b++) {
        float points[6];
        filter_points(half[b], points);
#pragma unroll
        for (int a = 0; a < 6; a++) store(6 * a + b, points[a]);
    }
}

// A dy At of a tile's gradients dy (4, 4). Position 7 belongs to the point 1 in both directions: it
// is the plain sum of all 16, so its sum over the tiles is dbias.
template <typename Store>
__device__ inline void transform_gradients(const float dy[16], const Store& store) {
    float half[6][4];  // [column point][row]
#pragma unroll
    for (int a = 0; a < 4; a++) {
        float points[6];
        outputs_adjoint(dy + 4 * a, points);
#pragma unroll
        for (int b = 0; b < 6; b++) half[b][a] = points[b];
    }
#pragma unroll
    for (int b = 0; b < 6; b++) {
        float points[6];
        outputs_adjoint(half[b], points);
#pragma unroll
        for (int a = 0; a < 6; a++) store(6 * a + b, points[a]);
    }
}

// The tile's outputs, At m A + shift, clipped at 0 if `relu`, into y (N, O, H, W): bias and ReLU cost
// no pass of their own. Nor does the pooling: pooled (N, O, H/2, W/2), if not null, gets the maxima
// of y's 2x2 windows, of which a tile holds four whole ones (H and W must be even then).
__device__ inline void write_outputs(
    const float* m, long long stride, const Tile& tile, float shift, int relu, float* y,
    float* pooled, int channels, int height, int width) {
    float columns[6][6], half[4][6];  // half[output row][column point]
    load_positions(m, stride, columns);
#pragma unroll
    for (int b = 0; b < 6; b++) {
        float rows[4];
        outputs(columns[b], rows);
#pragma unroll
        for (int a = 0; a < 4; a++) half[a][b] = rows[a];
    }
    const int top = 4 * tile.row, left = 4 * tile.column;
    const long long map = (long long)tile.image * channels + tile.channel;
    float* image = y + map * height * width;
    float above[4];  // the row before this one
#pragma unroll
    for (int a = 0; a < 4; a++) {
        float row[4];
        outputs(half[a], row);
#pragma unroll
        for (int b = 0; b < 4; b++) {
            row[b] += shift;
            if (relu) row[b] = larger(row[b], 0.0f);
        }
        if (top + a < height) store_row(row, image + (long long)(top + a) * width, left, width);
        if (pooled != nullptr && a % 2 == 1 && top + a < height) {
            float* maxima = pooled + (map * (height / 2) + (top + a) / 2) * (width / 2);
#pragma unroll
            for (int b = 0; b < 4; b += 2)
                if (left + b < width)
                    maxima[(left + b) / 2] =
                        larger(larger(above[b], above[b + 1]), larger(row[b], row[b + 1]));
        }
#pragma unroll
        for (int b = 0; b < 4; b++) above[b] = row[b];
    }
}
