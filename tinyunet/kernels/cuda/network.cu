// Everything of the U around its convolutions: pooling, copying, loss, sums, the update.
// Lesson: lessons/15-fast-on-a-gpu.md. One thread an output element (or window) unless said.
#include "common.cuh"

// y (maps, H/2, W/2): the maximum of each 2x2 window of x (maps, H, W).
extern "C" __global__ void max_pool_forward(
    const float* x, float* y, int maps, int height, int width) {
    const int out_width = width / 2, out_height = height / 2;
    const long long i = thread_index();
    if (i >= (long long)maps * out_height * out_width) return;
    const long long row = i / out_width;  // of all maps' output rows
    const float* window = x + 2 * row * width + 2 * (i % out_width);
    y[i] = larger(larger(window[0], window[1]), larger(window[width], window[width + 1]));
}

// dx: dy at each window's first maximum in reading order, 0 at its other three pixels; if `add`, dy
// is added to what dx has there (the gradient that came through the skip).
extern "C" __global__ void max_pool_backward(
    const float* dy, const float* x, float* dx, int maps, int height, int width, int add) {
    const int out_width = width / 2, out_height = height / 2;
    const long long i = thread_index();
    if (i >= (long long)maps * out_height * out_width) return;
    const long long corner = 2 * (i / out_width) * width + 2 * (i % out_width);
    const int place[4] = {0, 1, width, width + 1};
    int best = 0;
    float largest = x[corner];
#pragma unroll
    for (int k = 1; k < 4; k++) {
        const float value = x[corner + place[k]];
        if (value > largest) {
            largest = value;
            best = k;
        }
    }
#pragma unroll
    for (int k = 0; k < 4; k++) {
        if (add && k == best) dx[corner + place[k]] += dy[i];
        if (!add) dx[corner + place[k]] = k == best ? dy[i] : 0.0f;
    }
}

// y (N, C1 + C2, h, w): the window of skip (N, C1, H, W) that begins at (top, left), then x.
extern "C" __global__ void crop_concat(
    const float* skip, const float* x, float* y, int images, int skip_channels, int channels,
    int skip_height, int skip_width, int height, int width, int top, int left) {
    const long long i = thread_index();
    const int all = skip_channels + channels;
    if (i >= (long long)images * all * height * width) return;
    const int column = i % width, row = i / width % height;
    const long long map = i / ((long long)width * height);
    const long long image = map / all;
    const int channel = map % all;
    if (channel < skip_channels) {
        const long long from = image * skip_channels + channel;
        y[i] = skip[(from * skip_height + row + top) * skip_width + column + left];
    } else {
        const long long from = image * channels + channel - skip_channels;
        y[i] = x[(from * height + row) * width + column];
    }
}

// dskip (N, C1, H, W): dy's first C1 channels where the window was, 0 where skip was cropped away.
extern "C" __global__ void crop_gradient(
    const float* dy, float* dskip, int images, int skip_channels, int channels, int skip_height,
    int skip_width, int height, int width, int top, int left) {
    const long long i = thread_index();
    if (i >= (long long)images * skip_channels * skip_height * skip_width) return;
    const int column = (int)(i % skip_width) - left;
    const int row = (int)(i / skip_width % skip_height) - top;
    const long long map = i / ((long long)skip_width * skip_height);
    const long long image = map / skip_channels;
    const int channel = map % skip_channels;
    const bool inside = row >= 0 && row < height && column >= 0 && column < width;
    const long long from = image * (skip_channels + channels) + channel;
    dskip[i] = inside ? dy[(from * height + row) * width + column] : 0.0f;
}

// y (N, O, 2h, 2w) from patches (N, O, 2, 2, h, w): each input pixel's 2x2 patch at its place.
extern "C" __global__ void patches_to_image(
    const float* patches, const float* bias, float* y, int images, int channels, int height,
    int width) {
    const long long i = thread_index();
    if (i >= 4LL * images * channels * height * width) return;
    const int column = i % (2 * width), row = i / (2 * width) % (2 * height);
    const long long map = i / (4LL * width * height);
    const long long patch = 4 * map + 2 * (row % 2) + column % 2;
    y[i] = patches[(patch * height + row / 2) * width + column / 2] + bias[map % channels];
}

// The way back: patches (maps, 2, 2, h, w) from dy (maps, 2h, 2w).
extern "C" __global__ void image_to_patches(
    const float* dy, float* patches, int maps, int height, int width) {
    const long long i = thread_index();
    if (i >= 4LL * maps * height * width) return;
    const int column = i % width, row = i / width % height;
    const long long patch = i / ((long long)width * height);
    const int b = patch % 2, a = patch / 2 % 2;
    const long long map = patch / 4;
    patches[i] = dy[(map * 2 * height + 2 * row + a) * 2 * width + 2 * column + b];
}

// x (N, C, pixels) += bias (C), in place, then the ReLU if asked.
extern "C" __global__ void add_bias(
    float* x, const float* bias, int images, int channels, int pixels, int relu) {
    const long long i = thread_index();
    if (i >= (long long)images * channels * pixels) return;
    const float value = x[i] + bias[i / pixels % channels];
    x[i] = relu ? larger(value, 0.0f) : value;
}

// dx = dy where y > 0, else 0.
extern "C" __global__ void relu_gradient(const float* dy, const float* y, float* dx, int size) {
    const long long i = thread_index();
    if (i < size) dx[i] = y[i] > 0.0f ? dy[i] : 0.0f;
}

// y = x * mask, where mask is `scale` for numbers drawn at or above `rate`, else 0; keeps the mask.
extern "C" __global__ void apply_dropout(
    const float* x, const float* drawn, float* y, float* mask, int size, float rate, float scale) {
    const long long i = thread_index();
    if (i >= size) return;
    mask[i] = drawn[i] >= rate ? scale : 0.0f;
    y[i] = x[i] * mask[i];
}

extern "C" __global__ void multiply(const float* a, const float* b, float* y, int size) {
    const long long i = thread_index();
    if (i < size) y[i] = a[i] * b[i];
}

// sums[r] = sum over images n and places l of x[n, r, l], x (N, rows, length); a block a row.
extern "C" __global__ void __launch_bounds__(256) row_sums(
    const float* x, float* sums, int images, int rows, int length) {
    __shared__ float shared[256];
    const int row = blockIdx.x;
    float sum = 0.0f;
    for (int n = 0; n < images; n++) {
        const float* line = x + ((long long)n * rows + row) * length;
        for (int l = threadIdx.x; l < length; l += blockDim.x) sum += line[l];
    }
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) sums[row] = sum;
}

// Softmax over the K classes, weighted cross-entropy and its gradient in one pass over the logits.
// logits, dlogits (N, K, pixels); labels, weights (N, pixels), weights null for all ones.
// partial[block] is the block's share of -sum of w log p, in double; sum_partials adds them up.
extern "C" __global__ void __launch_bounds__(256) softmax_loss(
    const float* logits, const int* labels, const float* weights, float* dlogits, double* partial,
    int images, int classes, int pixels) {
    __shared__ double shared[256];
    const long long all = (long long)images * pixels;
    const float share = 1.0f / (float)all;
    double loss = 0.0;
    for (long long i = thread_index(); i < all; i += (long long)gridDim.x * blockDim.x) {
        const long long first = i / pixels * classes * pixels + i % pixels;
        const float* z = logits + first;
        float largest = z[0], total = 0.0f, chosen = 0.0f;
        for (int k = 1; k < classes; k++) largest = larger(largest, z[(long long)k * pixels]);
        for (int k = 0; k < classes; k++) total += expf(z[(long long)k * pixels] - largest);
        const float weight = weights == nullptr ? 1.0f : weights[i];
        const float log_total = logf(total);
        for (int k = 0; k < classes; k++) {
            const float log_p = z[(long long)k * pixels] - largest - log_total;
            const bool is_label = k == labels[i];
            if (is_label) chosen = log_p;
            dlogits[first + (long long)k * pixels] =
                (expf(log_p) - (is_label ? 1.0f : 0.0f)) * (weight * share);
        }
        loss -= (double)weight * (double)chosen;
    }
    loss = block_sum(loss, shared);
    if (threadIdx.x == 0) partial[blockIdx.x] = loss;
}

// sum[0] = the sum of `count` partial values divided by `divisor`, by a single block of 256.
extern "C" __global__ void __launch_bounds__(256) sum_partials(
    const double* partial, double* sum, int count, double divisor) {
    __shared__ double shared[256];
    double mine = 0.0;
    for (int i = threadIdx.x; i < count; i += blockDim.x) mine += partial[i];
    mine = block_sum(mine, shared);
    if (threadIdx.x == 0) sum[0] = mine / divisor;
}

// p, v, g of up to 64 parameters, passed by value so that nothing has to be uploaded before.
struct Parameters {
    float* p[64];
    float* v[64];
    const float* g[64];
    int size[64];
    int first_block[64];  // parameter k belongs to the blocks from first_block[k] on
};

// v <- momentum v + g;  p <- p - rate v, for all parameters in one launch. 256 threads a block,
// 4096 numbers a block. `rate` is read from memory so that a captured graph can change it.
extern "C" __global__ void __launch_bounds__(256) momentum_update(
    Parameters all, int count, const float* rate, float momentum) {
    int k = 0;
    while (k + 1 < count && all.first_block[k + 1] <= (int)blockIdx.x) k++;
    const int start = ((int)blockIdx.x - all.first_block[k]) * 4096;
    const int stop = min(start + 4096, all.size[k]);
    for (int i = start + (int)threadIdx.x; i < stop; i += blockDim.x) {
        const float velocity = momentum * all.v[k][i] + all.g[k][i];
        all.v[k][i] = velocity;
        all.p[k][i] -= rate[0] * velocity;
    }
}

// The filters as tensor.cuh wants them. Forward: (9 C, O) from weight (O, C, 3, 3). Turned, for the
// gradient of x: (9 O, C), each filter rotated by half a turn.
extern "C" __global__ void arrange_filters(
    const float* weight, float* filters, int out_channels, int channels, int turned) {
    const long long i = thread_index();
    if (i >= 9LL * out_channels * channels) return;
    const int columns = turned ? channels : out_channels;
    const int column = i % columns, tap = i / columns % 9, row = i / columns / 9;
    const long long filter =
        turned ? (long long)row * channels + column : (long long)column * channels + row;
    filters[i] = weight[9 * filter + (turned ? 8 - tap : tap)];
}

// out[i] = the sum of partial[s, i] over the slices, in order.
extern "C" __global__ void sum_slices(const float* partial, float* out, int slices, int size) {
    const long long i = thread_index();
    if (i >= size) return;
    float sum = 0.0f;
    for (int s = 0; s < slices; s++) sum += partial[(long long)s * size + i];
    out[i] = sum;
}
