// A cuBLAS of three functions for the CPU, with the types and the order of NVIDIA's cublas_api.h:
// what Python calls through ctypes meets the real calling convention. Column by column, as there.
// While `record` is on, products are noted down, and done when `replay` says so.
#include <cstddef>
#include <functional>
#include <vector>

static void *current_stream, *current_workspace;
static std::vector<std::function<void()>> noted;
static int recording;
extern "C" {
int last_compute_type, calls_without_workspace;

int cublasSetStream_v2(void* handle, void* stream) {
    if (handle == nullptr) return 1;  // CUBLAS_STATUS_NOT_INITIALIZED
    current_stream = stream;
    current_workspace = nullptr;
    return 0;
}

int cublasSetWorkspace_v2(void* handle, void* workspace, size_t bytes) {
    if (handle == nullptr || workspace == nullptr || bytes < 4u << 20) return 7;
    current_workspace = workspace;
    return 0;
}

void* stream_set() { return current_stream; }
void record(int on) { recording = on; }
int products_noted() { return (int)noted.size(); }
void replay(int which) { noted[which](); }

int cublasGemmStridedBatchedEx(
    void* handle, int transa, int transb, int m, int n, int k, const void* alpha, const void* A,
    int Atype, int lda, long long int strideA, const void* B, int Btype, int ldb,
    long long int strideB, const void* beta, void* C, int Ctype, int ldc, long long int strideC,
    int batchCount, int computeType, int algo) {
    const bool fits = lda >= (transa ? k : m) && ldb >= (transb ? n : k) && ldc >= m;
    const bool floats = Atype == 0 && Btype == 0 && Ctype == 0;
    if (handle == nullptr || !fits || m < 0 || n < 0 || k < 0) return 7;  // INVALID_VALUE
    if (!floats || algo != -1 || transa > 1 || transb > 1) return 15;     // NOT_SUPPORTED
    if (current_workspace == nullptr) calls_without_workspace++;
    last_compute_type = computeType;
    const float scale = *(const float*)alpha, keep = *(const float*)beta;
    auto work = [=] {
        for (int i = 0; i < batchCount; i++) {
            const float* a = (const float*)A + i * strideA;
            const float* b = (const float*)B + i * strideB;
            float* c = (float*)C + i * strideC;
            for (int column = 0; column < n; column++)
                for (int row = 0; row < m; row++) {
                    float sum = 0;
                    for (int l = 0; l < k; l++)
                        sum += (transa ? a[l + (size_t)row * lda] : a[row + (size_t)l * lda]) *
                               (transb ? b[column + (size_t)l * ldb] : b[l + (size_t)column * ldb]);
                    float& out = c[row + (size_t)column * ldc];
                    out = scale * sum + (keep == 0 ? 0 : keep * out);  // beta 0: c may be NaN
                }
        }
    };
    if (recording)
        noted.push_back(work);
    else
        work();
    return 0;
}
}
