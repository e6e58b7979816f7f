// The matrices of Winograd F(4, 3) as arithmetic, for one row or column of a tile.
//
// From Cook and Toom's construction with the points 0, 1, -1, 1/2, -2 and infinity, in this order.
// Each comes with its adjoint, the same matrix transposed.

// Bt d: the input of one row or column of a tile at the six points.
__device__ inline void input_points(const float d[6], float v[6]) {
    v[0] = d[0] - 1.5f * d[1] - 2.0f * d[2] + 1.5f * d[3] + d[4];
    v[1] = -d[1] + 0.5f * d[2] + 2.5f * d[3] + d[4];
    v[2] = d[1] - 2.5f * d[2] + 0.5f * d[3] + d[4];
    v[3] = -2.0f * d[1] - d[2] + 2.0f * d[3] + d[4];
    v[4] = 0.5f * d[1] - d[2] - 0.5f * d[3] + d[4];
    v[5] = d[1] - 1.5f * d[2] - 2.0f * d[3] + 1.5f * d[4] + d[5];
}

// B v: the adjoint (transpose) of input_points.
__device__ inline void input_points_adjoint(const float v[6], float d[6]) {
    d[0] = v[0];
    d[1] = -1.5f * v[0] - v[1] + v[2] - 2.0f * v[3] + 0.5f * v[4] + v[5];
    d[2] = -2.0f * v[0] + 0.5f * v[1] - 2.5f * v[2] - v[3] - v[4] - 1.5f * v[5];
    d[3] = 1.5f * v[0] + 2.5f * v[1] + 0.5f * v[2] + 2.0f * v[3] - 0.5f * v[4] - 2.0f * v[5];
    d[4] = v[0] + v[1] + v[2] + v[3] + v[4] + 1.5f * v[5];
    d[5] = v[5];
}

// G g: three filter taps at the six points.
__device__ inline void filter_points(const float g[3], float u[6]) {
    const float third = 1.0f / 3.0f, fifteenth = 1.0f / 15.0f;
    u[0] = g[0];
    u[1] = third * (g[0] + g[1] + g[2]);
    u[2] = -third * (g[0] - g[1] + g[2]);
    u[3] = -4.0f * fifteenth * (4.0f * g[0] + 2.0f * g[1] + g[2]);
    u[4] = fifteenth * (g[0] - 2.0f * g[1] + 4.0f * g[2]);
    u[5] = g[2];
}

// Gt u: the adjoint of filter_points.
__device__ inline void filter_points_adjoint(const float u[6], float g[3]) {
    const float third = 1.0f / 3.0f, fifteenth = 1.0f / 15.0f;
    g[0] = u[0] + third * (u[1] - u[2]) + fifteenth * (u[4] - 16.0f * u[3]);
    g[1] = third * (u[1] + u[2]) - fifteenth * (8.0f * u[3] + 2.0f * u[4]);
    g[2] = third * (u[1] - u[2]) + 4.0f * fifteenth * (u[4] - u[3]) + u[5];
}

// At m: four outputs from the products at the six points.
__device__ inline void outputs(const float m[6], float y[4]) {
    y[0] = m[0] + m[1] + m[2] + m[3] + m[4];
    y[1] = m[1] - m[2] + 0.5f * m[3] - 2.0f * m[4];
    y[2] = m[1] + m[2] + 0.25f * m[3] + 4.0f * m[4];
    y[3] = m[1] - m[2] + 0.125f * m[3] - 8.0f * m[4] + m[5];
}

// A y: the adjoint of outputs. Row 1, the point 1, is the plain sum of the four.
__device__ inline void outputs_adjoint(const float y[4], float m[6]) {
    m[0] = y[0];
    m[1] = y[0] + y[1] + y[2] + y[3];
    m[2] = y[0] - y[1] + y[2] - y[3];
    m[3] = y[0] + 0.5f * y[1] + 0.25f * y[2] + 0.125f * y[3];
    m[4] = y[0] - 2.0f * y[1] + 4.0f * y[2] - 8.0f * y[3];
    m[5] = y[3];
}
