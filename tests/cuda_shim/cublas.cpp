// A cuBLAS for the CPU, with the types and the order of NVIDIA's cublas_api.h: column by column.
// Products are queued on the handle's stream. The factors are rounded as the precision says; sums are
// kept in double, in one order, so that a product has the same bits wherever it is done.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "stand_in.h"

namespace {

enum { NOT_INITIALIZED = 1, INVALID_VALUE = 7, EXECUTION_FAILED = 13, NOT_SUPPORTED = 15 };
enum { FLOAT = 0, DOUBLE = 1 };
enum { COMPUTE_FLOAT = 68, COMPUTE_DOUBLE = 70, COMPUTE_BF16 = 75, COMPUTE_TF32 = 77 };

struct Handle {
    void* stream = nullptr;
};

float rounded(float x, int compute) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    if (compute == COMPUTE_TF32) bits = (bits + 0x1000u) & 0xFFFFE000u;
    if (compute == COMPUTE_BF16) bits = (bits + 0x7FFFu + (bits >> 16 & 1u)) & 0xFFFF0000u;
    memcpy(&x, &bits, 4);
    return x;
}
double rounded(double x, int) { return x; }

struct Matrices {
    const void* data;  // the first, others `stride` elements on; or, if `listed`, their addresses
    int leading;
    long long stride;
    bool listed = false;

    template <typename T>
    T* at(int i) const {
        return listed ? ((T**)data)[i] : (T*)data + i * stride;
    }
};

template <typename T>
int multiply(
    Handle* handle, bool transpose_a, bool transpose_b, int m, int n, int k, T alpha, Matrices a,
    Matrices b, T beta, Matrices c, int batch, int compute) {
    return stand_in::enqueue(handle->stream, [=] {
        for (int i = 0; i < batch; i++) {
            const T *a_i = a.at<T>(i), *b_i = b.at<T>(i);
            T* c_i = c.at<T>(i);
            const size_t a_row = transpose_a ? a.leading : 1, a_inner = transpose_a ? 1 : a.leading;
            const size_t b_inner = transpose_b ? b.leading : 1, b_column = transpose_b ? 1 : b.leading;
            for (int column = 0; column < n; column++)
                for (int row = 0; row < m; row++) {
                    double sum = 0;
                    for (int l = 0; l < k; l++)
                        sum += (double)rounded(a_i[row * a_row + l * a_inner], compute) *
                               rounded(b_i[column * b_column + l * b_inner], compute);
                    T& out = c_i[row + (size_t)column * c.leading];
                    out = (T)(alpha * sum + (beta == 0 ? 0 : beta * out));  // 0: c may be NaN
                }
        }
        return 0;
    }) ? EXECUTION_FAILED : 0;
}

}  // namespace

#define CALL extern "C" __attribute__((visibility("default"))) int

CALL cublasCreate_v2(Handle** handle) { *handle = new Handle; return 0; }
CALL cublasDestroy_v2(Handle* handle) { delete handle; return 0; }
CALL cublasGetVersion_v2(Handle*, int* version) { *version = 130000; return 0; }
CALL cublasSetPointerMode_v2(Handle*, int) { return 0; }
CALL cublasGetPointerMode_v2(Handle*, int* mode) { *mode = 0; return 0; }
CALL cublasSetMathMode(Handle*, int) { return 0; }
CALL cublasGetMathMode(Handle*, int* mode) { *mode = 0; return 0; }
CALL cublasSetStream_v2(Handle* handle, void* stream) {
    if (handle == nullptr) return NOT_INITIALIZED;
    handle->stream = stream;
    return 0;
}
CALL cublasGetStream_v2(Handle* handle, void** stream) { *stream = handle->stream; return 0; }
CALL cublasSetWorkspace_v2(Handle* handle, void* workspace, size_t bytes) {
    return handle == nullptr || workspace == nullptr || (uintptr_t)workspace % 256 || !bytes
               ? INVALID_VALUE : 0;
}

CALL cublasGemmStridedBatchedEx(
    Handle* handle, int transa, int transb, int m, int n, int k, const void* alpha, const void* A,
    int Atype, int lda, long long int strideA, const void* B, int Btype, int ldb,
    long long int strideB, const void* beta, void* C, int Ctype, int ldc, long long int strideC,
    int batchCount, int computeType, int algo) {
    const bool fits = lda >= (transa ? k : m) && ldb >= (transb ? n : k) && ldc >= m;
    if (handle == nullptr) return NOT_INITIALIZED;
    if (!fits || m < 0 || n < 0 || k < 0) return INVALID_VALUE;
    const bool one_type = Atype == Btype && Btype == Ctype && (Atype == FLOAT || Atype == DOUBLE);
    if (!one_type || transa > 1 || transb > 1) return NOT_SUPPORTED;
    const Matrices a{A, lda, strideA}, b{B, ldb, strideB}, c{C, ldc, strideC};
    if (Atype == DOUBLE)
        return multiply(handle, transa, transb, m, n, k, *(const double*)alpha, a, b,
                        *(const double*)beta, c, batchCount, computeType);
    return multiply(handle, transa, transb, m, n, k, *(const float*)alpha, a, b,
                    *(const float*)beta, c, batchCount, computeType);
}
CALL cublasGemmEx(
    Handle* handle, int transa, int transb, int m, int n, int k, const void* alpha, const void* A,
    int Atype, int lda, const void* B, int Btype, int ldb, const void* beta, void* C, int Ctype,
    int ldc, int computeType, int algo) {
    return cublasGemmStridedBatchedEx(handle, transa, transb, m, n, k, alpha, A, Atype, lda, 0, B,
                                      Btype, ldb, 0, beta, C, Ctype, ldc, 0, 1, computeType, algo);
}
CALL cublasSgemm_v2(
    Handle* handle, int transa, int transb, int m, int n, int k, const float* alpha, const float* A,
    int lda, const float* B, int ldb, const float* beta, float* C, int ldc) {
    return cublasGemmEx(handle, transa, transb, m, n, k, alpha, A, FLOAT, lda, B, FLOAT, ldb, beta,
                        C, FLOAT, ldc, COMPUTE_FLOAT, 0);
}
CALL cublasDgemm_v2(
    Handle* handle, int transa, int transb, int m, int n, int k, const double* alpha,
    const double* A, int lda, const double* B, int ldb, const double* beta, double* C, int ldc) {
    return cublasGemmEx(handle, transa, transb, m, n, k, alpha, A, DOUBLE, lda, B, DOUBLE, ldb, beta,
                        C, DOUBLE, ldc, COMPUTE_DOUBLE, 0);
}

#define GEMM_BATCHED(NAME, TYPE, COMPUTE)                                                        \
    CALL NAME(                                                                                    \
        Handle* handle, int transa, int transb, int m, int n, int k, const TYPE* alpha,           \
        const TYPE* const* A, int lda, const TYPE* const* B, int ldb, const TYPE* beta,           \
        TYPE* const* C, int ldc, int batch) {                                                     \
        const Matrices a{A, lda, 0, true}, b{B, ldb, 0, true}, c{C, ldc, 0, true};                \
        return multiply(                                                                          \
            handle, transa, transb, m, n, k, *alpha, a, b, *beta, c, batch, COMPUTE);             \
    }
GEMM_BATCHED(cublasSgemmBatched, float, COMPUTE_FLOAT)
GEMM_BATCHED(cublasDgemmBatched, double, COMPUTE_DOUBLE)
