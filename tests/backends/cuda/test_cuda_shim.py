"""What a GPU would not forgive, the kernels' build for the CPU does not either."""

import subprocess

import pytest
from cuda_shim.translate import COMPILER, FLAGS, translated

STORES = """
extern "C" __global__ void store_pair(float* x) {
    *reinterpret_cast<float2*>(x) = make_float2(1.0f, 2.0f);
}
extern "C" __global__ void store_four(float* x) {
    *reinterpret_cast<float4*>(x) = make_float4(1.0f, 2.0f, 3.0f, 4.0f);
}
"""
MAIN = """
int main(int given, char** arguments) {
    alignas(16) float x[8];
    const int at = std::atoi(arguments[2]);
    arguments[1][0] == 'p' ? store_pair(x + at) : store_four(x + at);
}
"""


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")
def test_vectors_are_stored_where_a_gpu_could_store_them(tmp_path):
    (tmp_path / "store.cpp").write_text(translated(STORES) + MAIN, encoding="utf-8")
    flags = [flag for flag in FLAGS if flag != "-shared"]
    subprocess.run([COMPILER, *flags, "store.cpp", "-o", "store"], cwd=tmp_path, check=True)

    def succeeds(*arguments):
        return subprocess.run([tmp_path / "store", *arguments]).returncode == 0

    assert [succeeds("pair", at) for at in "0123"] == [True, False, True, False]
    assert [succeeds("four", at) for at in "01234"] == [True, False, False, False, True]
