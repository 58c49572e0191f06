// Post-processing of one frame: labels by confidence, depth in meters of this camera, the cloud.
// One thread per pixel. The result equals postprocess.py and point_cloud.py bit for bit: each
// product is a single multiplication, so no compiler can fuse it with another operation.
// A null pointer means that an array is missing or not requested.

struct Point {
    float x, y, z;
    unsigned char b, g, r, label;
};

extern "C" __global__ void postprocess(
    const unsigned char* image,       // (height, width, 3) RGB
    const unsigned char* raw_labels,  // (height, width) class ids of the network, or null
    const unsigned char* confidence,  // (height, width), or null
    const float* raw_depth,           // (height, width) depth of the network, or null
    const unsigned char* surface,     // 256, not 0 where a class has a surface
    const float* x_ray,               // (height / stride, width / stride), rounded up, or null
    const float* y_ray,
    unsigned char* labels,            // (height, width), or null
    float* depth,                     // (height, width), or null
    Point* cloud,                     // as the rays, or null
    int height, int width, int stride,
    double depth_factor, float min_confidence, float min_depth, float max_depth, float unknown)
{
    const int pixel = blockIdx.x * blockDim.x + threadIdx.x;
    if (pixel >= height * width) return;
    unsigned char label = raw_labels ? raw_labels[pixel] : 255;
    if (confidence && confidence[pixel] < min_confidence) label = 255;
    const bool has_surface = !raw_labels || surface[label];
    if (labels) labels[pixel] = label;
    if (!raw_depth) return;
    float meters = static_cast<float>(raw_depth[pixel] * depth_factor);  // rounds as OpenCV does
    const bool known = meters >= min_depth && meters <= max_depth;
    if (!known || !has_surface) meters = unknown;
    if (depth) depth[pixel] = meters;
    const int row = pixel / width, column = pixel % width;
    if (!cloud || row % stride || column % stride) return;
    const int columns = (width + stride - 1) / stride;
    const int at = row / stride * columns + column / stride;
    const unsigned char* color = image + 3 * pixel;
    const Point point = {
        x_ray[at] * meters, y_ray[at] * meters, meters, color[2], color[1], color[0], label};
    cloud[at] = point;
}
