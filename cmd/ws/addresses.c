#include "ws_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t slot_of(const char *ip)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	for (; *ip; ip++)
		h = (h ^ (uint8_t) *ip) * 16777619u;
	return h % WS_ADDRESS_SLOTS;
}

static bool is_loopback(const char *ip)
{
	return strncmp(ip, "127.", 4) == 0 || strcmp(ip, "::1") == 0 || strncmp(ip, "::ffff:127.", 11) == 0;
}

/* Where the pointer to the address stands, or would. */
static struct address **place(struct address **slots, const char *ip)
{
	struct address **at = &slots[slot_of(ip)];
	while (*at && strcmp((*at)->ip, ip) != 0)
		at = &(*at)->next;
	return at;
}

bool address_full(const struct ws *w, const char *ip)
{
	if (w->settings->ws_per_address == 0 || is_loopback(ip))
		return false;
	const struct address *a = w->addresses[slot_of(ip)];
	while (a && strcmp(a->ip, ip) != 0)
		a = a->next;
	return a && a->n >= (uint64_t) w->settings->ws_per_address;
}

void address_add(struct ws *w, const char *ip)
{
	struct address **at = place(w->addresses, ip);
	if (!*at) {
		*at = calloc(1, sizeof **at);
		if (!*at)
			return; /* then this one is not counted */
		(void) snprintf((*at)->ip, sizeof(*at)->ip, "%s", ip);
	}
	(*at)->n++;
}

void address_remove(struct ws *w, const char *ip)
{
	struct address **at = place(w->addresses, ip), *a = *at;
	if (!a || --a->n)
		return;
	*at = a->next;
	free(a);
}

void addresses_free(struct ws *w)
{
	for (size_t i = 0; i < WS_ADDRESS_SLOTS; i++) {
		struct address *next;
		for (struct address *a = w->addresses[i]; a; a = next) {
			next = a->next;
			free(a);
		}
	}
}
