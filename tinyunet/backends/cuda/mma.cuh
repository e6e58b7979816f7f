// What tensor cores need beside C++: their instruction, words to feed it, copies that do not wait.
//
// Each 32-bit word holds one tf32 number, or two bf16 numbers with the even one in the low half, so
// both precisions look alike: 8 words deep, that is k = 8 in tf32 and k = 16 in bf16. With
// g = lane / 4 and t = lane % 4, a lane holds of
//     A (16 rows, 8 words)    a0 (g, t)    a1 (g + 8, t)    a2 (g, t + 4)    a3 (g + 8, t + 4)
//     B (8 words, 8 columns)  b0 (t, g)    b1 (t + 4, g)
//     C (16 rows, 8 columns)  c0 (g, 2t)   c1 (g, 2t + 1)   c2 (g + 8, 2t)   c3 (g + 8, 2t + 1)
// Source: PTX ISA, "mma.m16n8k8", "mma.m16n8k16", "ldmatrix" and "cp.async"; CUTLASS's
// mma_traits_sm80.hpp says the same. Needs compute capability 8.0: below, these functions are empty,
// and Python refuses. The tests put C++ functions of the instructions' names in place.

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
#define HAS_TENSOR_CORES 1
#endif

template <int PER_WORD>
__device__ inline unsigned make_word(float even, float odd) {
    unsigned word = 0;
#ifdef HAS_TENSOR_CORES
    if (PER_WORD == 1)
        asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(word) : "f"(even));
    else
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(odd), "f"(even));
#endif
    return word;
}

template <int PER_WORD>
__device__ inline void run_mma(float c[4], const unsigned a[4], const unsigned b[2]) {
#ifdef HAS_TENSOR_CORES
    if (PER_WORD == 1)
        asm volatile(
            "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
            "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    else
        asm volatile(
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
            "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
            : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

#ifndef SHARED_ADDRESS  // of a place in shared memory, as the instructions below want it
#define SHARED_ADDRESS(pointer) (unsigned)__cvta_generic_to_shared(pointer)
#endif

// Four 8x8 matrices of 16-bit numbers (8 rows of 16 bytes each): lane l gives row l % 8 of matrix
// l / 8, and gets word t of row g of each. Turned, it gets numbers 2t and 2t + 1 of column g.
__device__ inline void load_matrices(unsigned words[4], const unsigned* row) {
#ifdef HAS_TENSOR_CORES
    asm volatile(
        "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
        : "r"(SHARED_ADDRESS(row)));
#endif
}
__device__ inline void load_matrices_turned(unsigned words[4], const unsigned* row) {
#ifdef HAS_TENSOR_CORES
    asm volatile(
        "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
        : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
        : "r"(SHARED_ADDRESS(row)));
#endif
}

// Start to copy 16 bytes into shared memory, or zeros if !is_there (`from` is then not read).
__device__ inline void copy_chunk(unsigned* to, const unsigned* from, bool is_there) {
#ifdef HAS_TENSOR_CORES
    const int bytes = is_there ? 16 : 0;
    asm volatile(
        "cp.async.cg.shared.global [%0], [%1], 16, %2;"
        :: "r"(SHARED_ADDRESS(to)), "l"(from), "r"(bytes) : "memory");
#endif
}
// The copies started since the last call become a group.
__device__ inline void commit_copies() {
#ifdef HAS_TENSOR_CORES
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
// Wait until at most OPEN groups of this thread are still on their way.
template <int OPEN>
__device__ inline void wait_for_copies() {
#ifdef HAS_TENSOR_CORES
    asm volatile("cp.async.wait_group %0;" :: "n"(OPEN) : "memory");
#endif
}
