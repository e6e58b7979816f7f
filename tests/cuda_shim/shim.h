// The names of CUDA C that the package's kernels use, for a C++ compiler: a kernel is run on the
// CPU block by block, its threads one after another. Where a kernel waits for its block, each
// thread is a fiber with its own stack, and waiting hands over to the next one.
#pragma once
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __shared__ static
#define __launch_bounds__(threads)

struct Index {
    unsigned x = 0, y = 0, z = 0;
};
struct float2 {
    float x, y;
};
static inline float2 make_float2(float x, float y) { return {x, y}; }
static Index blockIdx, threadIdx, blockDim, gridDim;
using std::min;

namespace shim {

struct Fiber {
    ucontext_t context;
    std::vector<char> stack;
    bool done = false;
};
static std::vector<Fiber> fibers;
static ucontext_t scheduler;
static void (*body)(void*);
static void* body_argument;

static void run_fiber() {
    body(body_argument);
    fibers[threadIdx.x].done = true;
    swapcontext(&fibers[threadIdx.x].context, &scheduler);
}

static void start_fibers(unsigned threads) {
    if (fibers.size() < threads) fibers = std::vector<Fiber>(threads);
    for (unsigned t = 0; t < threads; t++) {
        Fiber& fiber = fibers[t];
        fiber.stack.resize(1 << 16);
        fiber.done = false;
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.data();
        fiber.context.uc_stack.ss_size = fiber.stack.size();
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, run_fiber, 0);
    }
}

// Returns false if some threads ended while others still wait for them: a barrier in a branch.
static bool run_block(unsigned threads) {
    start_fibers(threads);
    for (unsigned running = threads; running > 0;) {
        unsigned ended = 0;
        for (unsigned t = 0; t < threads; t++) {
            if (fibers[t].done) continue;
            threadIdx.x = t;
            swapcontext(&scheduler, &fibers[t].context);
            if (fibers[t].done) ended++;
        }
        if (ended != 0 && ended != running) return false;
        running -= ended;
    }
    return true;
}

template <typename... P, size_t... I>
void call(void (*kernel)(P...), void** arguments, std::index_sequence<I...>) {
    kernel(*static_cast<P*>(arguments[I])...);
}

// Returns 0, or 1 if the threads of a block did not reach the same barriers.
template <typename... P>
int launch(void (*kernel)(P...), unsigned blocks, unsigned threads, bool waits, void** arguments) {
    auto thread = [&] { call(kernel, arguments, std::index_sequence_for<P...>()); };
    body = [](void* f) { (*static_cast<decltype(thread)*>(f))(); };
    body_argument = &thread;
    gridDim.x = blocks;
    blockDim.x = threads;
    for (blockIdx.x = 0; blockIdx.x < blocks; blockIdx.x++) {
        if (waits) {
            if (!run_block(threads)) return 1;
        } else {
            for (threadIdx.x = 0; threadIdx.x < threads; threadIdx.x++) thread();
        }
    }
    return 0;
}

}  // namespace shim

static inline void __syncthreads() {
    const unsigned me = threadIdx.x;
    swapcontext(&shim::fibers[me].context, &shim::scheduler);
    threadIdx.x = me;
}

#include "ptx.h"
