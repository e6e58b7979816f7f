// Everything of the U around its convolutions: pooling, copying, loss, sums, the update.
// Lesson: lessons/15-fast-on-a-gpu.md. One thread an output element (or window) unless said.
#include "common.cuh"

// nn.max_pool2d:
// y (maps, H/2, W/2), the maximum of each 2x2 window of x (maps, H, W).
extern "C" __global__ void max_pool_forward(const float* x, float* y, int height, int width) {
    const int out_width = width / 2, size = height / 2 * out_width;
    const Place at = place_in_map(size);
    if (at.index >= size) return;
    const int corner = 2 * (at.index / out_width) * width + 2 * (at.index % out_width);
    const float* window = x + (long long)at.map * height * width + corner;
    const float value = larger(larger(window[0], window[1]), larger(window[width], window[width + 1]));
    y[(long long)at.map * size + at.index] = value;
}

// nn.max_pool2d_backward:
// dx is dy at each window's first maximum in reading order, or its last NaN, 0 at its other three
// pixels; if `add`, dy is added to what dx has there (the gradient that came through the skip).
extern "C" __global__ void max_pool_backward(
    const float* dy, const float* x, float* dx, int height, int width, int add) {
    const int out_width = width / 2, size = height / 2 * out_width;
    const Place at = place_in_map(size);
    if (at.index >= size) return;
    const long long corner = (long long)at.map * height * width +
                             2 * (at.index / out_width) * width + 2 * (at.index % out_width);
    const int place[4] = {0, 1, width, width + 1};
    const float gradient = dy[(long long)at.map * size + at.index];
    int best = 0;
    float largest = x[corner];
#pragma unroll
    for (int k = 1; k < 4; k++) {
        const float value = x[corner + place[k]];
        if (value > largest || value != value) {
            largest = value;
            best = k;
        }
    }
#pragma unroll
    for (int k = 0; k < 4; k++) {
        if (add && k == best) dx[corner + place[k]] += gradient;
        if (!add) dx[corner + place[k]] = k == best ? gradient : 0.0f;
    }
}

// nn.center_crop_concat:
// y (N, C1 + C2, h, w), the window of skip (N, C1, H, W) that begins at (top, left), then x.
extern "C" __global__ void crop_concat(
    const float* skip, const float* x, float* y, int skip_channels, int channels, int skip_height,
    int skip_width, int height, int width, int top, int left) {
    const int size = height * width, all = skip_channels + channels;
    const Place at = place_in_map(size);
    if (at.index >= size) return;
    const int image = at.map / all, channel = at.map % all;
    const int row = at.index / width, column = at.index % width;
    float value;
    if (channel < skip_channels) {
        const long long map = (long long)image * skip_channels + channel;
        value = skip[(map * skip_height + row + top) * skip_width + column + left];
    } else {
        value = x[((long long)image * channels + channel - skip_channels) * size + at.index];
    }
    y[(long long)at.map * size + at.index] = value;
}

// dskip (N, C1, H, W): dy's first C1 channels where the window was, 0 where skip was cropped away.
extern "C" __global__ void crop_gradient(
    const float* dy, float* dskip, int skip_channels, int channels, int skip_height, int skip_width,
    int height, int width, int top, int left) {
    const int size = skip_height * skip_width;
    const Place at = place_in_map(size);
    if (at.index >= size) return;
    const int row = at.index / skip_width - top, column = at.index % skip_width - left;
    const bool inside = row >= 0 && row < height && column >= 0 && column < width;
    const long long image = at.map / skip_channels, channel = at.map % skip_channels;
    const long long map = image * (skip_channels + channels) + channel;
    dskip[(long long)at.map * size + at.index] =
        inside ? dy[(map * height + row) * width + column] : 0.0f;
}

// y (N, O, 2h, 2w) from patches (N, O, 2, 2, h, w): each input pixel's 2x2 patch at its place.
extern "C" __global__ void patches_to_image(
    const float* patches, const float* bias, float* y, int channels, int height, int width) {
    const int size = 4 * height * width;
    const Place at = place_in_map(size);
    if (at.index >= size) return;
    const int row = at.index / (2 * width), column = at.index % (2 * width);
    const int in_patch = 2 * (row % 2) + column % 2, pixel = row / 2 * width + column / 2;
    const long long map = (long long)at.map * size;
    y[map + at.index] = patches[map + in_patch * height * width + pixel] + bias[at.map % channels];
}

// The way back: patches (maps, 2, 2, h, w) from dy (maps, 2h, 2w).
extern "C" __global__ void image_to_patches(
    const float* dy, float* patches, int height, int width) {
    const int size = 4 * height * width;
    const Place at = place_in_map(size);
    if (at.index >= size) return;
    const int in_patch = at.index / (height * width), pixel = at.index % (height * width);
    const int row = 2 * (pixel / width) + in_patch / 2, column = 2 * (pixel % width) + in_patch % 2;
    const long long map = (long long)at.map * size;
    patches[map + at.index] = dy[map + row * 2 * width + column];
}

// x (N, C, pixels) += bias (C), in place, then the ReLU if asked.
extern "C" __global__ void add_bias(
    float* x, const float* bias, int channels, int pixels, int relu) {
    const Place at = place_in_map(pixels);
    if (at.index >= pixels) return;
    const long long i = (long long)at.map * pixels + at.index;
    const float value = x[i] + bias[at.map % channels];
    x[i] = relu ? larger(value, 0.0f) : value;
}

// y (N, C, pixels) = the sum of partial (slices, N, C, pixels), in order, + bias (C) if not null, then
// the ReLU if asked.
extern "C" __global__ void sum_outputs(
    const float* partial, const float* bias, float* y, int maps, int channels, int pixels, int relu,
    int slices) {
    const Place at = place_in_map(pixels);
    if (at.index >= pixels) return;
    const long long i = (long long)at.map * pixels + at.index;
    float value = bias == nullptr ? 0.0f : bias[at.map % channels];
#pragma unroll 4
    for (int s = 0; s < slices; s++) value += partial[(long long)s * maps * pixels + i];
    y[i] = relu ? larger(value, 0.0f) : value;
}

// dx = dy where y > 0, else 0; where y is NaN, dy too, so that a run that diverges is seen to.
extern "C" __global__ void relu_gradient(const float* dy, const float* y, float* dx, int size) {
    const long long i = thread_index();
    if (i < size) dx[i] = y[i] <= 0.0f ? 0.0f : dy[i];
}

// sums (slices, rows): of row r of all images of x (N, rows, length), slice s adds up its part of
// the length; a block each. Four loads are on their way at a time: one alone would wait for memory.
extern "C" __global__ void __launch_bounds__(256) row_sums(
    const float* x, float* sums, int images, int rows, int length, int slices) {
    __shared__ float shared[256];
    const int row = blockIdx.x % rows, slice = blockIdx.x / rows;
    const int part = (length + slices - 1) / slices;
    const int first = min(slice * part, length), last = min(first + part, length);
    float sum[4] = {};
    for (int n = 0; n < images; n++) {
        const float* line = x + ((long long)n * rows + row) * length;
        for (int l = first + threadIdx.x; l < last; l += 4 * blockDim.x) {
#pragma unroll
            for (int k = 0; k < 4; k++) {
                const int at = l + k * (int)blockDim.x;
                sum[k] += at < last ? line[at] : 0.0f;
            }
        }
    }
    const float total = block_sum(sum[0] + sum[1] + (sum[2] + sum[3]), shared);
    if (threadIdx.x == 0) sums[blockIdx.x] = total;
}

// nn.softmax_cross_entropy:
// softmax over the K classes, weighted cross-entropy and its gradient in one pass over the logits.
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

// nn.momentum_update:
// v <- momentum v + g;  p <- p - rate v, for all parameters in one launch. 256 threads a block,
// 4096 numbers a block. `rate` and `momentum` are read from memory so that a captured graph can
// change them.
extern "C" __global__ void __launch_bounds__(256) momentum_update(
    Parameters all, int count, const float* rate, const float* momentum) {
    int k = 0;
    while (k + 1 < count && all.first_block[k + 1] <= (int)blockIdx.x) k++;
    const int start = ((int)blockIdx.x - all.first_block[k]) * 4096;
    const int stop = min(start + 4096, all.size[k]);
    float *p = all.p[k], *v = all.v[k];
    const float *g = all.g[k], step = rate[0], kept = momentum[0];
    for (int i = start + (int)threadIdx.x; i < stop; i += 4 * blockDim.x) {
        float velocity[4], parameter[4];
#pragma unroll
        for (int j = 0; j < 4; j++) {  // all loads first, so that memory serves them together
            const int at = min(i + j * (int)blockDim.x, stop - 1);
            velocity[j] = kept * v[at] + g[at];
            parameter[j] = p[at] - step * velocity[j];
        }
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const int at = i + j * (int)blockDim.x;
            if (at < stop) v[at] = velocity[j];
            if (at < stop) p[at] = parameter[j];
        }
    }
}

// out[i] = the sum of partial[s, i] over the slices, in order.
extern "C" __global__ void sum_slices(const float* partial, float* out, int slices, int size) {
    const long long i = thread_index();
    if (i >= size) return;
    float sum = 0.0f;
#pragma unroll 4
    for (int s = 0; s < slices; s++) sum += partial[(long long)s * size + i];
    out[i] = sum;
}

// dweight (O, C, 3, 3) = the sum of partial (slices, O, 9, room >= C), tensor.cuh's order, in order.
extern "C" __global__ void sum_filter_slices(
    const float* partial, float* dweight, int slices, int out_channels, int channels, int room) {
    const int i = thread_index(), size = out_channels * 9 * room;
    if (i >= size) return;
    float sum = 0.0f;
#pragma unroll 4
    for (int s = 0; s < slices; s++) sum += partial[(long long)s * size + i];
    const int channel = i % room, tap = i / room % 9, out_channel = i / room / 9;
    if (channel < channels)
        dweight[((long long)out_channel * channels + channel) * 9 + tap] = sum;
}
