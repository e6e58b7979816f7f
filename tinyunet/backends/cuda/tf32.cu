// The tensor cores' kernels with factors in tf32: 10 bits of mantissa, 8 of exponent.
// A source of their own, since compiling them takes seconds. Lesson: lessons/15-fast-on-a-gpu.md.
#include "pack.cuh"
#include "tensor.cuh"

extern "C" __global__ void __launch_bounds__(256) pack_tf32(
    const float* x, const float* y, unsigned* packed, float* sums, int channels, int pixels,
    int words) {
    pack_maps<1>(x, y, packed, sums, channels, pixels, words);
}

extern "C" __global__ void pack_filters_tf32(
    const float* weight, unsigned* filters, int out_channels, int channels, int words, int turned) {
    pack_weights<1>(weight, filters, out_channels, channels, words, turned);
}

extern "C" __global__ void __launch_bounds__(256, 2) conv_tf32_64(
    const unsigned* x, const unsigned* filters, const float* bias, float* y, int images, int words,
    int height, int width, int out_channels, int pad, int relu, int slices) {
    convolve<1, 64>(
        x, filters, bias, y, images, words, height, width, out_channels, pad, relu, slices);
}

extern "C" __global__ void __launch_bounds__(256, 2) conv_tf32_128(
    const unsigned* x, const unsigned* filters, const float* bias, float* y, int images, int words,
    int height, int width, int out_channels, int pad, int relu, int slices) {
    convolve<1, 128>(
        x, filters, bias, y, images, words, height, width, out_channels, pad, relu, slices);
}

extern "C" __global__ void __launch_bounds__(256, 2) filters_tf32_64(
    const unsigned* dy, const unsigned* x, float* partial, int images, int words, int height,
    int width, int out_channels, int out_words, int slices) {
    convolve_filters<1, 64>(
        dy, x, partial, images, words, height, width, out_channels, out_words, slices);
}

extern "C" __global__ void __launch_bounds__(256, 2) filters_tf32_128(
    const unsigned* dy, const unsigned* x, float* partial, int images, int words, int height,
    int width, int out_channels, int out_words, int slices) {
    convolve_filters<1, 128>(
        dy, x, partial, images, words, height, width, out_channels, out_words, slices);
}
