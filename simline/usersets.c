/* User sets: what a camera is set to, kept by the camera itself, in its folder of the world, over power cycles. */
#include "sensor.h"

#include "genapi.h"
#include "pixels.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAGIC "OKNGSET1"

/* Of another version of this library: such a file is none, and the camera has what left the factory. */
struct file_head {
    char magic[8];
    uint32_t settings_bytes, power_up;
    uint8_t is_kept[8];
};

static bool path_of(const struct camera *camera, const char *ending, char *out, size_t size)
{
    int length = snprintf(out, size, "%s/%s.usersets%s", camera->folder, camera->serial, ending);
    return !camera->test_pattern && length > 0 && (size_t)length < size;
}

/* A file may be anything: what would be used as a size or an index is looked at. */
static bool is_sane(const struct settings *set)
{
    return set->width >= 16 && set->width <= WIDTH_MAX - set->offset_x && set->offset_x < WIDTH_MAX &&
           set->width % 4 == 0 && set->height >= 16 && set->height <= HEIGHT_MAX - set->offset_y &&
           set->offset_y < HEIGHT_MAX && pixel_format_of(set->pixel_format) && set->trigger_selector < 2 &&
           set->line_selector < LINES && set->chunk_selector < CHUNKS && set->burst_frames >= 1 &&
           set->frame_rate_hz > 0 && set->exposure_us > 0 && set->exposure_us <= 1e6;
}

static void read_kept(struct camera *camera)
{
    char path[sizeof camera->folder + SERIAL_MAX + 32];
    struct file_head head;
    struct settings kept[USER_SETS];
    FILE *file = path_of(camera, "", path, sizeof path) ? fopen(path, "rbe") : NULL;
    if (!file)
        return;
    bool whole = fread(&head, sizeof head, 1, file) == 1 && memcmp(head.magic, MAGIC, 8) == 0 &&
                 head.settings_bytes == sizeof(struct settings) && fread(kept, sizeof kept, 1, file) == 1;
    fclose(file);
    if (!whole)
        return;
    for (unsigned which = 1; which < USER_SETS; which++) {
        camera->is_kept[which] = head.is_kept[which] == 1 && is_sane(&kept[which]);
        camera->kept[which] = kept[which];
    }
    camera->set.user_set_default = head.power_up < USER_SETS && camera->is_kept[head.power_up] ? head.power_up : 0;
}

static gc_error write_kept(const struct camera *camera)
{
    char path[sizeof camera->folder + SERIAL_MAX + 32], draft[sizeof path];
    if (camera->test_pattern)
        return GC_SUCCESS; /* no world: kept while the library is loaded */
    struct file_head head = {.settings_bytes = sizeof(struct settings), .power_up = camera->set.user_set_default};
    memcpy(head.magic, MAGIC, sizeof head.magic);
    for (unsigned which = 0; which < USER_SETS; which++)
        head.is_kept[which] = camera->is_kept[which];
    FILE *file = path_of(camera, "", path, sizeof path) && path_of(camera, ".draft", draft, sizeof draft)
                     ? fopen(draft, "wbe")
                     : NULL;
    if (!file)
        return GC_IO;
    bool written = fwrite(&head, sizeof head, 1, file) == 1 && fwrite(camera->kept, sizeof camera->kept, 1, file) == 1;
    written = fclose(file) == 0 && written;
    if (written && rename(draft, path) == 0)
        return GC_SUCCESS;
    unlink(draft);
    return GC_IO;
}

void user_sets_open(struct camera *camera, const struct settings *factory)
{
    camera->kept[USER_SET_SELECTOR_DEFAULT] = *factory;
    camera->is_kept[USER_SET_SELECTOR_DEFAULT] = true;
    read_kept(camera);
    camera->set.user_set = camera->set.user_set_default;
    camera->set.now = camera->kept[camera->set.user_set];
}

gc_error user_set_load(struct camera *camera)
{
    if (camera->set.locked)
        return GC_ACCESS_DENIED;
    const uint32_t which = camera->set.user_set;
    /* a set nobody has saved is as it left the factory */
    camera->set.now = camera->kept[camera->is_kept[which] ? which : USER_SET_SELECTOR_DEFAULT];
    return GC_SUCCESS;
}

gc_error user_set_save(struct camera *camera)
{
    const uint32_t which = camera->set.user_set;
    if (which == USER_SET_SELECTOR_DEFAULT)
        return GC_ACCESS_DENIED;
    camera->kept[which] = camera->set.now;
    camera->is_kept[which] = true;
    return write_kept(camera);
}

gc_error user_set_at_power_up(struct camera *camera, uint32_t which)
{
    if (which >= USER_SETS)
        return GC_INVALID_VALUE;
    if (!camera->is_kept[which])
        return GC_ACCESS_DENIED; /* there is nothing to begin with */
    camera->set.user_set_default = which;
    return write_kept(camera);
}
