/* How a sensor's samples lie in memory once they are sent: the formats of the PFNC. */
#ifndef OKNG_PIXELS_H
#define OKNG_PIXELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the samples are before they are packed: one grey level, one level behind a colour filter, or three colours. */
enum sensor_kind { SENSOR_GREY, SENSOR_BAYER, SENSOR_COLOUR };
enum layout { LAYOUT_BYTES, LAYOUT_WORDS, LAYOUT_P, LAYOUT_PACKED, LAYOUT_BGR, LAYOUT_YUYV, LAYOUT_UYVY };
struct pixel_format {
    uint32_t code; /* PFNC, 32 bits */
    enum sensor_kind kind;
    uint32_t phase_x, phase_y; /* Bayer: where the filter of RGGB begins */
    uint32_t depth;            /* significant bits of a sample */
    enum layout layout;
};

/* NULL: the camera has no such format. */
const struct pixel_format *pixel_format_of(uint32_t code);
size_t view_bytes(uint32_t width, uint32_t height, uint32_t code);
/* Bytes of one row of samples of 8 bits, before they are packed. */
size_t samples_row(const struct pixel_format *format, uint32_t width);
/* True where the samples of 8 bits are the picture as it is sent. */
bool sent_as_sampled(const struct pixel_format *format);

/* One row of samples of 16 bits into a wide format. Width is a multiple of 4. Returns the bytes written. */
size_t pack_row(const struct pixel_format *format, const uint16_t *samples, uint32_t width, uint8_t *out);
/* One row of RGB samples of 8 bits into BGR or YUV. */
void colour_row(const struct pixel_format *format, const uint8_t *rgb, uint32_t width, uint8_t *out);

#endif
