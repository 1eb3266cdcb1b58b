/* rnd.h - unpredictable bytes from the kernel. Base floor. Thread: any. Never fails: getrandom after boot cannot. */
#ifndef TAP_RND_H
#define TAP_RND_H

#include <stddef.h>
#include <stdint.h>

void rnd_bytes(void *out, size_t n);
/* Even in 0 .. below - 1; below > 0. For jitter, not for keys. */
uint32_t rnd_below(uint32_t below);

#endif
