// What follows the network: labels by confidence, depth in metres of this camera, the cloud.
// One thread a pixel. The same values, bit for bit, as perception.py and cloud.py on the CPU:
// the products are single multiplications, so no compiler can fuse them into others.
// A null pointer stands for what is not there or not wanted.

struct Point {
    float x, y, z;
    unsigned char b, g, r, label;
};

extern "C" __global__ void finish(
    const unsigned char* image,       // (height, width, 3) RGB
    const unsigned char* found,       // (height, width) class ids of the network, or null
    const unsigned char* confidence,  // (height, width), or null
    const float* distance,            // (height, width) depth of the network, or null
    const unsigned char* surface,     // 256, not 0 where a class has a surface
    const float* x_ray,               // (height / stride, width / stride), rounded up, or null
    const float* y_ray,
    unsigned char* labels,            // (height, width), or null
    float* depth,                     // (height, width), or null
    Point* cloud,                     // as the rays, or null
    int height, int width, int stride,
    double factor, float least_confidence, float nearest, float farthest, float unknown)
{
    const int pixel = blockIdx.x * blockDim.x + threadIdx.x;
    if (pixel >= height * width) return;
    unsigned char label = found ? found[pixel] : 255;
    if (confidence && confidence[pixel] < least_confidence) label = 255;
    const bool has_surface = !found || surface[label];
    if (labels) labels[pixel] = label;
    if (!distance) return;
    float metres = static_cast<float>(distance[pixel] * factor);  // as OpenCV rounds it
    const bool known = metres >= nearest && metres <= farthest;
    if (!known || !has_surface) metres = unknown;
    if (depth) depth[pixel] = metres;
    const int row = pixel / width, column = pixel % width;
    if (!cloud || row % stride || column % stride) return;
    const int columns = (width + stride - 1) / stride;
    const int at = row / stride * columns + column / stride;
    const unsigned char* colour = image + 3 * pixel;
    const Point point = {
        x_ray[at] * metres, y_ray[at] * metres, metres, colour[2], colour[1], colour[0], label};
    cloud[at] = point;
}
