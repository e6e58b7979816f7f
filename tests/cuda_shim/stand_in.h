// What the parts of the stand-in share: work that is queued on a stream, and memory it may use.
#pragma once
#include <functional>

namespace stand_in {
// Do `work` when `stream` comes to it; while the stream is recorded, note it down instead. Returns
// 0 or CUDA's error, among them 400 if the stream belongs to another device than the current one.
__attribute__((visibility("default"))) int enqueue(
    void* stream, std::function<int()> work);
}  // namespace stand_in
