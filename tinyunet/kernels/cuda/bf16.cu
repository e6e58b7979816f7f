// The tensor cores' kernels with factors in bf16: 7 bits of mantissa, 8 of exponent.
// A source of their own, since compiling them takes seconds. Lesson: lessons/15-fast-on-a-gpu.md.
#include "tensor.cuh"

extern "C" __global__ void __launch_bounds__(256) conv_bf16_64(
    const float* x, const float* filters, const float* bias, float* y, int images, int channels,
    int height, int width, int out_channels, int pad, int relu) {
    convolve<2, 64>(
        x, filters, bias, y, images, channels, height, width, out_channels, pad, relu);
}

extern "C" __global__ void __launch_bounds__(256) conv_bf16_128(
    const float* x, const float* filters, const float* bias, float* y, int images, int channels,
    int height, int width, int out_channels, int pad, int relu) {
    convolve<2, 128>(
        x, filters, bias, y, images, channels, height, width, out_channels, pad, relu);
}

extern "C" __global__ void __launch_bounds__(256) filters_bf16(
    const float* dy, const float* x, float* partial, int images, int channels, int height,
    int width, int out_channels, int slices) {
    convolve_filters<2, 64>(
        dy, x, partial, images, channels, height, width, out_channels, slices);
}
