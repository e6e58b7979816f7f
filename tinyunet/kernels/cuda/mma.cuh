// The tensor cores' instruction: a warp adds a 16x8 product to c, D = A B + C.
//
// Each 32-bit word holds one tf32 number, or two bf16 numbers with the even one in the low half, so
// both precisions look alike: 8 words deep, that is k = 8 in tf32 and k = 16 in bf16. With
// g = lane / 4 and t = lane % 4, a lane holds of
//     A (16 rows, 8 words)    a0 (g, t)    a1 (g + 8, t)    a2 (g, t + 4)    a3 (g + 8, t + 4)
//     B (8 words, 8 columns)  b0 (t, g)    b1 (t + 4, g)
//     C (16 rows, 8 columns)  c0 (g, 2t)   c1 (g, 2t + 1)   c2 (g + 8, 2t)   c3 (g + 8, 2t + 1)
// Source: PTX ISA, "mma.m16n8k8" and "mma.m16n8k16"; CUTLASS's mma_traits_sm80.hpp says the same.
// Needs compute capability 8.0. The tests put C++ functions of the instructions' names in place.

template <int PER_WORD>
__device__ inline unsigned make_word(float even, float odd) {
    unsigned word = 0;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
    __trap();
#else
    if (PER_WORD == 1)
        asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(word) : "f"(even));
    else
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(odd), "f"(even));
#endif
    return word;
}

template <int PER_WORD>
__device__ inline void run_mma(float c[4], const unsigned a[4], const unsigned b[2]) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
    __trap();
#else
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
