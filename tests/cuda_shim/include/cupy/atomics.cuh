// In place of CuPy's header of this name: no kernel that is run on the CPU is atomic.
