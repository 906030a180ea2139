/* The pixel formats: where their bits lie.
 *
 * Source: EMVA Pixel Format Naming Convention. `p`: bits end to end, the first pixel in the lowest ones. `Packed`: two
 * pixels in three bytes as in GigE Vision 1.x, the low bits of both in the middle one. YUV is ITU-R BT.601 of full
 * range; two pixels share the mean of their colours.
 */
#include "pixels.h"

#include "genapi.h"

#define GREY(name, depth, layout) {PFNC_##name, SENSOR_GREY, 0, 0, depth, layout}
#define BAYER(suffix, depth, layout)                                   \
    {PFNC_BAYERRG##suffix, SENSOR_BAYER, 0, 0, depth, layout},         \
        {PFNC_BAYERGR##suffix, SENSOR_BAYER, 1, 0, depth, layout},     \
        {PFNC_BAYERGB##suffix, SENSOR_BAYER, 0, 1, depth, layout},     \
        {PFNC_BAYERBG##suffix, SENSOR_BAYER, 1, 1, depth, layout}
#define COLOUR(name, layout) {PFNC_##name, SENSOR_COLOUR, 0, 0, 8, layout}

static const struct pixel_format FORMATS[] = {
    GREY(MONO8, 8, LAYOUT_BYTES),
    GREY(MONO10, 10, LAYOUT_WORDS),
    GREY(MONO10P, 10, LAYOUT_P),
    GREY(MONO10PACKED, 10, LAYOUT_PACKED),
    GREY(MONO12, 12, LAYOUT_WORDS),
    GREY(MONO12P, 12, LAYOUT_P),
    GREY(MONO12PACKED, 12, LAYOUT_PACKED),
    GREY(MONO16, 16, LAYOUT_WORDS),
    BAYER(8, 8, LAYOUT_BYTES),
    BAYER(10, 10, LAYOUT_WORDS),
    BAYER(10P, 10, LAYOUT_P),
    BAYER(10PACKED, 10, LAYOUT_PACKED),
    BAYER(12, 12, LAYOUT_WORDS),
    BAYER(12P, 12, LAYOUT_P),
    BAYER(12PACKED, 12, LAYOUT_PACKED),
    BAYER(16, 16, LAYOUT_WORDS),
    COLOUR(RGB8, LAYOUT_BYTES),
    COLOUR(BGR8, LAYOUT_BGR),
    COLOUR(YUV422_8, LAYOUT_YUYV),
    COLOUR(YUV422_8_UYVY, LAYOUT_UYVY),
};

const struct pixel_format *pixel_format_of(uint32_t code)
{
    for (size_t i = 0; i < sizeof FORMATS / sizeof *FORMATS; i++)
        if (FORMATS[i].code == code)
            return &FORMATS[i];
    return NULL;
}

size_t view_bytes(uint32_t width, uint32_t height, uint32_t code)
{
    return ((size_t)width * height * (code >> 16 & 0xff) + 7) / 8; /* PFNC: bits per pixel in bits 16-23 */
}

size_t samples_row(const struct pixel_format *format, uint32_t width)
{
    return (size_t)width * (format->kind == SENSOR_COLOUR ? 3 : 1);
}

bool sent_as_sampled(const struct pixel_format *format)
{
    return format->layout == LAYOUT_BYTES;
}

static uint8_t *pack_words(const uint16_t *samples, uint32_t width, uint32_t shift, uint8_t *out)
{
    for (uint32_t i = 0; i < width; i++) {
        const uint32_t level = (uint32_t)samples[i] >> shift;
        *out++ = (uint8_t)level;
        *out++ = (uint8_t)(level >> 8);
    }
    return out;
}

static uint8_t *pack_end_to_end(const uint16_t *samples, uint32_t width, uint32_t depth, uint8_t *out)
{
    uint32_t held = 0, bits = 0;
    for (uint32_t i = 0; i < width; i++) {
        held |= (uint32_t)samples[i] >> (16 - depth) << bits;
        for (bits += depth; bits >= 8; bits -= 8, held >>= 8)
            *out++ = (uint8_t)held;
    }
    return out;
}

static uint8_t *pack_pairs(const uint16_t *samples, uint32_t width, uint32_t depth, uint8_t *out)
{
    const uint32_t low_bits = depth - 8, mask = (1u << low_bits) - 1;
    for (uint32_t i = 0; i + 1 < width; i += 2) {
        const uint32_t first = (uint32_t)samples[i] >> (16 - depth), second = (uint32_t)samples[i + 1] >> (16 - depth);
        *out++ = (uint8_t)(first >> low_bits);
        *out++ = (uint8_t)((first & mask) | (second & mask) << 4);
        *out++ = (uint8_t)(second >> low_bits);
    }
    return out;
}

size_t pack_row(const struct pixel_format *format, const uint16_t *samples, uint32_t width, uint8_t *out)
{
    const uint8_t *end;
    switch (format->layout) {
    case LAYOUT_P: end = pack_end_to_end(samples, width, format->depth, out); break;
    case LAYOUT_PACKED: end = pack_pairs(samples, width, format->depth, out); break;
    default: end = pack_words(samples, width, 16 - format->depth, out);
    }
    return (size_t)(end - out);
}

/* BT.601 of full range in 1/65536; the rows of U and V add up to 0. */
static uint8_t luma(const uint8_t *rgb)
{
    return (uint8_t)((19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 32768) >> 16);
}

static uint8_t chroma(const int sum[3], int red, int green, int blue) /* of the sums of two pixels */
{
    const int level = (red * sum[0] + green * sum[1] + blue * sum[2] + (257 << 16)) >> 17;
    return (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
}

void colour_row(const struct pixel_format *format, const uint8_t *rgb, uint32_t width, uint8_t *out)
{
    if (format->layout == LAYOUT_BGR) {
        for (uint32_t i = 0; i < width; i++, rgb += 3, out += 3) {
            out[0] = rgb[2];
            out[1] = rgb[1];
            out[2] = rgb[0];
        }
        return;
    }
    const uint32_t y_at = format->layout == LAYOUT_UYVY, u_at = 1 - y_at;
    for (uint32_t i = 0; i + 1 < width; i += 2, rgb += 6, out += 4) {
        const int sum[3] = {rgb[0] + rgb[3], rgb[1] + rgb[4], rgb[2] + rgb[5]};
        out[y_at] = luma(rgb);
        out[y_at + 2] = luma(rgb + 3);
        out[u_at] = chroma(sum, -11058, -21710, 32768);
        out[u_at + 2] = chroma(sum, 32768, -27439, -5329);
    }
}
