// The tensor cores' instructions as functions on the CPU, written from NVIDIA's documents and not
// from our kernels: PTX ISA, "cvt" and "Matrix Fragments for mma.m16n8k8 / mma.m16n8k16".
// Each asm statement of the sources becomes a call of the function of its instruction's name, with
// its operands in the statement's order (see `without_asm`).
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#define SHARED_ADDRESS(pointer) (void*)(pointer)

namespace ptx {

inline uint32_t bits_of(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return bits;
}
inline float float_of(uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, 4);
    return x;
}

// To tf32: to the nearest, ties away from zero; the low 13 bits are then of no meaning.
inline void cvt_rna_tf32_f32(unsigned& d, float a) {
    d = a != a ? 0x7FFFFFFFu : (bits_of(a) + 0x1000u) & 0xFFFFE000u;
}

inline uint32_t bf16_of(float x) {  // to the nearest, ties to even; NaN is 0x7FFF
    const uint32_t bits = bits_of(x);
    return x != x ? 0x7FFFu : (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
}

// "a is converted and stored in the upper half of d, b in the lower half."
inline void cvt_rn_bf16x2_f32(unsigned& d, float a, float b) { d = bf16_of(a) << 16 | bf16_of(b); }

// What the lanes of the warps hand in, and the products they take back.
static float matrix_a[32][16][16], matrix_b[32][16][8];  // by warp; row and column

// D = A B + C: every lane has handed in its elements of A and B and takes its four of C and D.
inline void take_sums(float* d[4], const float c[4], int k) {
    const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    __syncthreads();
    for (int i = 0; i < 4; i++) {
        const int row = i < 2 ? lane >> 2 : (lane >> 2) + 8;
        const int column = (lane % 4) * 2 + (i & 1);
        float sum = c[i];
        for (int l = 0; l < k; l++) sum += matrix_a[warp][row][l] * matrix_b[warp][l][column];
        *d[i] = sum;
    }
    __syncthreads();
}

inline void mma_sync_aligned_m16n8k8_row_col_f32_tf32_tf32_f32(
    float& d0, float& d1, float& d2, float& d3, unsigned a0, unsigned a1, unsigned a2, unsigned a3,
    unsigned b0, unsigned b1, float c0, float c1, float c2, float c3) {
    const unsigned warp = threadIdx.x / 32, group = threadIdx.x % 32 >> 2, in = threadIdx.x % 4;
    const unsigned a[4] = {a0, a1, a2, a3}, b[2] = {b0, b1};
    for (int i = 0; i < 4; i++) {
        const int row = i == 0 || i == 2 ? group : group + 8;
        const int column = i == 0 || i == 1 ? in : in + 4;
        matrix_a[warp][row][column] = float_of(a[i] & 0xFFFFE000u);  // the hardware reads 19 bits
    }
    for (int i = 0; i < 2; i++)
        matrix_b[warp][i == 0 ? in : in + 4][group] = float_of(b[i] & 0xFFFFE000u);
    float* d[4] = {&d0, &d1, &d2, &d3};
    const float c[4] = {c0, c1, c2, c3};
    take_sums(d, c, 8);
}

inline void mma_sync_aligned_m16n8k16_row_col_f32_bf16_bf16_f32(
    float& d0, float& d1, float& d2, float& d3, unsigned a0, unsigned a1, unsigned a2, unsigned a3,
    unsigned b0, unsigned b1, float c0, float c1, float c2, float c3) {
    const unsigned warp = threadIdx.x / 32, group = threadIdx.x % 32 >> 2, in = threadIdx.x % 4;
    const unsigned a[4] = {a0, a1, a2, a3}, b[2] = {b0, b1};
    // The fragments are counted by element, two in a register, the first in the lower half.
    auto element = [](unsigned pair, int i) {
        return float_of(i & 1 ? pair & 0xFFFF0000u : pair << 16);
    };
    for (int i = 0; i < 8; i++) {
        const int row = (0 <= i && i < 2) || (4 <= i && i < 6) ? group : group + 8;
        const int column = i < 4 ? in * 2 + (i & 1) : in * 2 + (i & 1) + 8;
        matrix_a[warp][row][column] = element(a[i / 2], i);
    }
    for (int i = 0; i < 4; i++) {
        const int row = i < 2 ? in * 2 + (i & 1) : in * 2 + (i & 1) + 8;
        matrix_b[warp][row][group] = element(b[i / 2], i);
    }
    float* d[4] = {&d0, &d1, &d2, &d3};
    const float c[4] = {c0, c1, c2, c3};
    take_sums(d, c, 16);
}

// ---- copies to shared memory: done as late as the program allows, when their group is waited for

struct Copy {
    void* to;
    const void* from;
    unsigned bytes;
};
static std::vector<std::vector<Copy>> groups[1024];  // by thread of the block; the last is open

inline void cp_async_cg_shared_global(void* to, const void* from, int bytes) {
    if ((uintptr_t)to % 16 || (bytes && (uintptr_t)from % 16)) std::abort();
    auto& mine = groups[shim::current];
    if (mine.empty()) mine.emplace_back();
    mine.back().push_back({to, from, (unsigned)bytes});
    std::memset(to, 0xFF, 16);  // until then nobody may rely on what is there
}
inline void cp_async_commit_group() {
    auto& mine = groups[shim::current];
    if (mine.empty()) mine.emplace_back();
    mine.emplace_back();
}
inline void cp_async_wait_group(int open) {
    auto& mine = groups[shim::current];
    while ((int)mine.size() - 1 > open) {
        for (auto& copy : mine.front()) {
            std::memset(copy.to, 0, 16);
            std::memcpy(copy.to, copy.from, copy.bytes);
        }
        mine.erase(mine.begin());
    }
}

// ---- ldmatrix: the lanes of a warp give the addresses of rows for each other

static const void* row_address[32][32];  // by warp and lane

inline void give_row(const void* row) {
    if ((uintptr_t)row % 16) std::abort();
    row_address[threadIdx.x / 32][threadIdx.x % 32] = row;
    __syncthreads();
}

inline void ldmatrix_sync_aligned_m8n8_x4_shared_b16(
    unsigned& d0, unsigned& d1, unsigned& d2, unsigned& d3, const void* row) {
    give_row(row);
    unsigned* d[4] = {&d0, &d1, &d2, &d3};
    const unsigned lane = threadIdx.x % 32;
    for (int i = 0; i < 4; i++)  // "each thread receives a 32-bit piece of row lane / 4"
        std::memcpy(d[i], (const char*)row_address[threadIdx.x / 32][8 * i + lane / 4] + lane % 4 * 4, 4);
    __syncthreads();
}
inline void ldmatrix_sync_aligned_m8n8_x4_trans_shared_b16(
    unsigned& d0, unsigned& d1, unsigned& d2, unsigned& d3, const void* row) {
    give_row(row);
    unsigned* d[4] = {&d0, &d1, &d2, &d3};
    const unsigned lane = threadIdx.x % 32;
    for (int i = 0; i < 4; i++) {  // as if the matrix had been stored by columns
        uint16_t halves[2];
        for (int h = 0; h < 2; h++)
            std::memcpy(
                halves + h,
                (const char*)row_address[threadIdx.x / 32][8 * i + lane % 4 * 2 + h] + lane / 4 * 2, 2);
        *d[i] = halves[0] | (unsigned)halves[1] << 16;
    }
    __syncthreads();
}

}  // namespace ptx
