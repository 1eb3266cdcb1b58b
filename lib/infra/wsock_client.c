#include "wsock_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "clk.h"
#include "err.h"
#include "rnd.h"
#include "thread.h"

enum { URL_MAX = 1024, ADDRESSES_MAX = 16 };

struct wsock_url {
	char host[256];
	char path[URL_MAX];
	int port;
	bool tls;
};

/* A name being looked up on a thread of its own, because the C library's resolver waits for as long as resolv.conf says. The
 * thread and the connection hold one share each; whoever lets go last frees it. */
struct wsock_lookup {
	atomic_int shares;
	atomic_bool is_done;
	char host[256];
	char ip[INET6_ADDRSTRLEN]; /* "" when there is none; written before is_done */
};

/* ws://host[:port][/path][?query], and wss. */
static bool url_parse(struct wsock_url *ret, const char *text)
{
	bool tls = strncmp(text, "wss://", 6) == 0;
	if (!tls && strncmp(text, "ws://", 5) != 0)
		return false;
	const char *host = text + (tls ? 6 : 5);
	size_t n = strcspn(host, "/?:");
	const char *at = host + n;
	if (n == 0 || n >= sizeof ret->host)
		return false;
	long port = tls ? 443 : 80;
	if (*at == ':') {
		char *end;
		port = strtol(at + 1, &end, 10);
		if (end == at + 1 || port < 1 || port > 65535 || (*end && *end != '/' && *end != '?'))
			return false;
		at = end;
	}
	if (strlen(at) + 2 > sizeof ret->path)
		return false;
	memcpy(ret->host, host, n);
	ret->host[n] = '\0';
	(void) snprintf(ret->path, sizeof ret->path, "%s%s", *at == '/' ? "" : "/", at);
	ret->port = (int) port;
	ret->tls = tls;
	return true;
}

/* Made when the first client needs it: it reads the system's certificates. */
static int client_vhost(struct wsock_loop *l)
{
	if (l->client_vhost)
		return 0;
	struct lws_context_creation_info info = { .vhost_name = "client", .port = CONTEXT_PORT_NO_LISTEN,
		.protocols = wsock_protocols, .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
		.gid = -1, .uid = -1, .timeout_secs = 10 };
	l->client_vhost = lws_create_vhost(l->context, &info);
	return l->client_vhost ? 0 : err_say(-ENOMEM, "libwebsockets has no vhost for clients");
}

static void lookup_release(struct wsock_lookup *k)
{
	if (atomic_fetch_sub(&k->shares, 1) == 1)
		free(k);
}

/* One of the name's addresses by chance, so that the next attempt may find another; IPv4 before IPv6, which is more often
 * announced than there. */
static void pick(struct wsock_lookup *k, const struct addrinfo *found)
{
	const struct addrinfo *v4[ADDRESSES_MAX], *v6[ADDRESSES_MAX];
	uint32_t n4 = 0, n6 = 0;
	for (; found; found = found->ai_next) {
		if (found->ai_family == AF_INET && n4 < ADDRESSES_MAX)
			v4[n4++] = found;
		else if (found->ai_family == AF_INET6 && n6 < ADDRESSES_MAX)
			v6[n6++] = found;
	}
	const struct addrinfo *one = n4 ? v4[rnd_below(n4)] : n6 ? v6[rnd_below(n6)] : NULL;
	if (one && getnameinfo(one->ai_addr, one->ai_addrlen, k->ip, sizeof k->ip, NULL, 0, NI_NUMERICHOST) != 0)
		k->ip[0] = '\0';
}

static void *look_up(void *arg)
{
	struct wsock_lookup *k = arg;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *found = NULL;
	if (getaddrinfo(k->host, NULL, &hints, &found) == 0) {
		pick(k, found);
		freeaddrinfo(found);
	}
	atomic_store(&k->is_done, true);
	lookup_release(k);
	return NULL;
}

static int start_lookup(struct wsock_conn *c)
{
	struct wsock_lookup *k = calloc(1, sizeof *k);
	pthread_t thread;
	if (!k)
		return -ENOMEM;
	memcpy(k->host, c->url->host, sizeof k->host);
	atomic_store(&k->shares, 2);
	int r = thread_start(&thread, look_up, k);
	if (r < 0) {
		free(k);
		return r;
	}
	(void) pthread_detach(thread);
	c->lookup = k;
	return 0;
}

/* Has the library connect to the address: false when it failed at once; then c is gone if it was promised an on_close. */
static bool dial(struct wsock_conn *c, const char *address)
{
	struct wsock_loop *l = c->loop;
	const struct wsock_url *url = c->url;
	char host[sizeof url->host + 8];
	if (url->port == (url->tls ? 443 : 80))
		(void) snprintf(host, sizeof host, "%s", url->host);
	else
		(void) snprintf(host, sizeof host, "%s:%d", url->host, url->port);
	struct lws_client_connect_info info = { .context = l->context, .vhost = l->client_vhost, .address = address,
		.port = url->port, .path = url->path, .host = host, .ssl_connection = url->tls ? LCCSCF_USE_SSL : 0,
		.local_protocol_name = wsock_protocols[0].name, .alpn = "http/1.1", .opaque_user_data = c, .pwsi = &c->wsi };
	l->connecting = c;
	struct lws *wsi = lws_client_connect_via_info(&info);
	bool still_there = l->connecting == c;
	l->connecting = NULL;
	if (!wsi && still_there)
		wsock_conn_gone(c, "no connection");
	return wsi;
}

void wsock_client_sweep(struct wsock_conn *c)
{
	struct wsock_lookup *k = c->lookup;
	if (!k || !atomic_load(&k->is_done))
		return;
	char ip[sizeof k->ip];
	memcpy(ip, k->ip, sizeof ip);
	c->lookup = NULL;
	lookup_release(k);
	if (ip[0])
		(void) dial(c, ip);
	else
		wsock_conn_gone(c, "the name has no address");
}

void wsock_client_forget(struct wsock_conn *c)
{
	if (c->lookup)
		lookup_release(c->lookup);
	free(c->url);
}

static bool is_number(const char *host)
{
	struct in6_addr unused;
	return inet_pton(AF_INET, host, &unused) == 1;
}

int wsock_connect(struct wsock_loop *l, struct wsock_conn **ret, const struct wsock_client_conf *conf)
{
	struct wsock_url url;
	if (!url_parse(&url, conf->url))
		return err_say(-EINVAL, "%s: must be ws://host[:port]/path or wss://...", conf->url);
	int r = client_vhost(l);
	if (r < 0)
		return r;
	struct wsock_conn *c = wsock_conn_new(l, conf->ops, conf->u, conf->message_max);
	if (!c)
		return -ENOMEM;
	c->is_client = true;
	c->idle_ms = conf->idle_ms;
	c->target = strdup(url.path);
	c->url = malloc(sizeof url);
	c->deadline_ms = conf->connect_ms ? clk_mono_ms() + conf->connect_ms : 0;
	(void) snprintf(c->peer, sizeof c->peer, "%.45s", url.host);
	r = c->url && c->target ? 0 : -ENOMEM;
	if (r == 0) {
		*c->url = url;
		if (!is_number(url.host))
			r = start_lookup(c);
		else if (!dial(c, url.host))
			return err_say(-ECONNREFUSED, "%s: no connection", conf->url);
	}
	if (r < 0) {
		wsock_conn_free(c);
		return r;
	}
	c->is_promised = true;
	*ret = c;
	return 0;
}
