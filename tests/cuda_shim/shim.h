// The names of CUDA C that the package's kernels use, for a C++ compiler: a kernel is run on the
// CPU block by block, its threads one after another. Where a kernel waits for its block, each
// thread is a fiber with its own stack, and waiting hands over to the next one; from barrier to
// barrier they take turns upwards and downwards, so that a missing barrier shows.
#pragma once
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __shared__ static
#define __launch_bounds__(...)

struct Index {
    unsigned x = 0, y = 0, z = 0;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static Index blockIdx, threadIdx, blockDim, gridDim;
using std::max;
using std::min;

namespace shim {

struct Fiber {
    void* place;  // where its stack stood when it last handed over
    std::vector<char> stack;
    bool done = false;
};
static std::vector<Fiber> fibers;
static void* scheduler;
static unsigned current;  // thread of the block, counted through
static void (*body)(void*);
static void* body_argument;

static void set_thread(unsigned t) {
    current = t;
    threadIdx = {t % blockDim.x, t / blockDim.x % blockDim.y, t / blockDim.x / blockDim.y};
}

// Keep this stack's place in *from and go on at another's.
#ifdef __x86_64__
asm(".local shim_switch\nshim_switch:\n"
    "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
    "mov %rsp, (%rdi)\nmov %rsi, %rsp\n"
    "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret");
extern "C" void shim_switch(void** from, void* to);

static void* new_stack(std::vector<char>& stack, void (*begin)()) {
    auto top = (uintptr_t*)((uintptr_t)(stack.data() + stack.size()) & ~(uintptr_t)15);
    *--top = 0;  // so that `begin` finds the stack as after a call
    *--top = (uintptr_t)begin;
    return top - 6;  // of the registers, which may hold anything
}
#else  // ten times slower: it asks the system to keep the signals too
static void shim_switch(void** from, void* to) {
    ucontext_t here;
    *from = &here;
    swapcontext(&here, (ucontext_t*)to);
}
static void* new_stack(std::vector<char>& stack, void (*begin)()) {
    auto context = (ucontext_t*)stack.data();
    getcontext(context);
    context->uc_stack.ss_sp = stack.data() + sizeof *context;
    context->uc_stack.ss_size = stack.size() - sizeof *context;
    context->uc_link = nullptr;
    makecontext(context, begin, 0);
    return context;
}
#endif

static void run_fiber() {
    body(body_argument);
    fibers[current].done = true;
    shim_switch(&fibers[current].place, scheduler);
}

static void start_fibers(unsigned threads) {
    if (fibers.size() < threads) fibers = std::vector<Fiber>(threads);
    for (unsigned t = 0; t < threads; t++) {
        fibers[t].stack.resize(1 << 16);
        fibers[t].done = false;
        fibers[t].place = new_stack(fibers[t].stack, run_fiber);
    }
}

// Returns false if some threads ended while others still wait for them: a barrier in a branch.
static bool run_block(unsigned threads) {
    start_fibers(threads);
    for (unsigned running = threads, turn = 0; running > 0; turn++) {
        unsigned ended = 0;
        for (unsigned i = 0; i < threads; i++) {
            const unsigned t = turn % 2 ? threads - 1 - i : i;
            if (fibers[t].done) continue;
            set_thread(t);
            shim_switch(&scheduler, fibers[t].place);
            if (fibers[t].done) ended++;
        }
        if (ended != 0 && ended != running) return false;
        running -= ended;
    }
    return true;
}

// Returns 0, or 1 if the threads of a block did not reach the same barriers.
template <typename Thread>
int run_grid(Thread thread, const unsigned grid[3], const unsigned block[3], bool waits) {
    body = [](void* f) { (*static_cast<Thread*>(f))(); };
    body_argument = &thread;
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    const unsigned threads = block[0] * block[1] * block[2];
    for (blockIdx.z = 0; blockIdx.z < grid[2]; blockIdx.z++)
        for (blockIdx.y = 0; blockIdx.y < grid[1]; blockIdx.y++)
            for (blockIdx.x = 0; blockIdx.x < grid[0]; blockIdx.x++) {
                if (waits && !run_block(threads)) return 1;
                for (unsigned t = 0; !waits && t < threads; t++) {
                    set_thread(t);
                    thread();
                }
            }
    return 0;
}

// Return a launch that can be done later, its arguments copied; null if one is memory of another
// device (`is_here` says no to a word that is an address there).
template <typename... P, size_t... I>
std::function<int()>* prepare(
    void (*kernel)(P...), const unsigned grid[3], const unsigned block[3], void** arguments,
    bool (*is_here)(const void*), bool waits, std::index_sequence<I...>) {
    std::tuple<P...> values(*static_cast<P*>(arguments[I])...);
    auto foreign = [&](const void* value, size_t bytes) {
        void* word;
        for (size_t at = 0; is_here != nullptr && at + sizeof word <= bytes; at += sizeof word) {
            std::memcpy(&word, (const char*)value + at, sizeof word);
            if (!is_here(word)) return true;
        }
        return false;
    };
    if ((foreign(arguments[I], sizeof(P)) || ...)) return nullptr;
    const std::vector<unsigned> sizes = {grid[0], grid[1], grid[2], block[0], block[1], block[2]};
    return new std::function<int()>([=] {
        auto thread = [&] { kernel(std::get<I>(values)...); };
        return run_grid(thread, sizes.data(), sizes.data() + 3, waits);
    });
}

template <typename... P>
void* prepare(
    void (*kernel)(P...), const unsigned* grid, const unsigned* block, void** arguments,
    bool (*is_here)(const void*), bool waits) {
    return prepare(kernel, grid, block, arguments, is_here, waits, std::index_sequence_for<P...>());
}

}  // namespace shim

// Run what a kernel's `bind_…` returned, and forget it.
extern "C" inline __attribute__((used)) int run_bound(void* bound) {
    auto work = (std::function<int()>*)bound;
    const int status = (*work)();
    delete work;
    return status;
}

static inline void __syncthreads() {
    const unsigned me = shim::current;
    shim::shim_switch(&shim::fibers[me].place, shim::scheduler);
    shim::set_thread(me);
}

#include "ptx.h"
