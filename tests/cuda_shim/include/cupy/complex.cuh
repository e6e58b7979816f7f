// In place of CuPy's header of this name, which needs the rest of CUDA's; and the few words of CUDA C
// that only CuPy's kernels use.
#pragma once
#include <cassert>
#include <complex>
template <typename T>
using complex = std::complex<T>;
using std::isnan;
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
