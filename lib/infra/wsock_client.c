#include "wsock_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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

static int on_opened(struct wsock_conn *c, struct lws *wsi)
{
	c->wsi = wsi;
	c->is_open = true;
	c->deadline_ms = 0;
	c->heard_ms = c->pinged_ms = clk_mono_ms();
	if (c->ops->on_open && !c->ops->on_open(c, &c->u))
		wsock_close(c, 1013, "try again later");
	return 0;
}

static int fail_message(struct wsock_conn *c, unsigned code, const char *reason)
{
	wsock_close(c, code, reason);
	return 0;
}

/* A piece of a message: whole ones go up, too long ones end the connection before they are stored. */
static int on_piece(struct wsock_conn *c, struct lws *wsi, const char *p, size_t n)
{
	struct buf *message = &c->in.message;
	c->heard_ms = clk_mono_ms();
	if (c->is_closing)
		return 0;
	if (lws_is_first_fragment(wsi)) {
		buf_clear(message);
		c->message_binary = lws_frame_is_binary(wsi);
	}
	if (n + lws_remaining_packet_payload(wsi) > message->max - message->n)
		return fail_message(c, 1009, "message too long");
	buf_put(message, p, n);
	if (message->failed)
		return -1;
	if (lws_remaining_packet_payload(wsi) || !lws_is_final_fragment(wsi))
		return 0;
	if (c->message_binary) {
		if (c->ops->on_binary)
			c->ops->on_binary(c, c->u);
	} else if (!wsock_utf8(message->p, message->n))
		return fail_message(c, 1007, "not UTF-8");
	else if (c->ops->on_text)
		c->ops->on_text(c, c->u, message->p, message->n);
	if (message->cap > WSOCK_RX_KEPT)
		buf_free(message);
	buf_clear(message);
	return 0;
}

static int on_writable(struct wsock_conn *c, struct lws *wsi)
{
	if (c->is_closing) {
		if (c->close_code != 1006) /* the server closes the connection: the library's way does */
			lws_close_reason(wsi, (enum lws_close_status) c->close_code, (unsigned char *) c->close_reason,
					strlen(c->close_reason));
		return -1;
	}
	struct wsock_frame *f = c->ops->on_writable ? c->ops->on_writable(c, c->u) : NULL;
	if (!f)
		return 0;
	static const char room[LWS_PRE];
	struct buf *b = &c->loop->scratch;
	buf_clear(b);
	buf_put(b, room, sizeof room);
	buf_put(b, f->bytes + WSOCK_SERVER_HEAD_MAX, f->n);
	bool sent = !b->failed && lws_write(wsi, (unsigned char *) b->p + LWS_PRE, f->n, LWS_WRITE_TEXT) >= 0;
	(void) wsock_frame_unref(f);
	return sent ? 0 : -1;
}

/* The peer's close frame: its code, when it sent one. */
static void note_peer_close(struct wsock_conn *c, const unsigned char *p, size_t n)
{
	if (c->is_closing)
		return;
	c->close_code = n >= 2 ? (unsigned) p[0] << 8 | p[1] : 1005;
	size_t room = sizeof c->close_reason - 1, len = n > 2 ? n - 2 : 0;
	if (len > room)
		len = room;
	if (len)
		memcpy(c->close_reason, p + 2, len);
	c->close_reason[len] = '\0';
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	(void) user;
	if (reason == LWS_CALLBACK_RAW_RX_FILE) {
		struct wsock_loop *l = lws_context_user(lws_get_context(wsi));
		l->epoll_ready = true; /* looked at after the library's turn, so that it is not entered twice */
		return 0;
	}
	struct wsock_conn *c = wsi ? lws_get_opaque_user_data(wsi) : NULL;
	if (!c)
		return 0;
	switch (reason) {
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
		return on_opened(c, wsi);
	case LWS_CALLBACK_CLIENT_RECEIVE:
		return on_piece(c, wsi, in, len);
	case LWS_CALLBACK_CLIENT_WRITEABLE:
		return on_writable(c, wsi);
	case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
		c->heard_ms = clk_mono_ms();
		if (c->ops->on_pong && !c->is_closing)
			c->ops->on_pong(c, c->u);
		return 0;
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		note_peer_close(c, in, len);
		return 0; /* the library answers */
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		lws_set_opaque_user_data(wsi, NULL);
		wsock_conn_gone(c, in);
		return 0;
	case LWS_CALLBACK_CLIENT_CLOSED:
	case LWS_CALLBACK_WSI_DESTROY:
		lws_set_opaque_user_data(wsi, NULL);
		wsock_conn_gone(c, NULL);
		return 0;
	default:
		return 0;
	}
}

static const struct lws_protocols protocols[] = {
	{ .name = "tap", .callback = on_event, .rx_buffer_size = 4096 }, /* the library's unit of reading */
	{ 0 },
};

static void silent(int level, const char *line)
{
	(void) level;
	(void) line; /* libraries do not log: what matters comes back as a result or in on_close */
}

/* Made when the first client needs it: it reads the system's certificates. Our own set of sockets is one file of its loop. */
static int library_start(struct wsock_loop *l)
{
	if (l->context)
		return 0;
	struct lws_context_creation_info info = { .port = CONTEXT_PORT_NO_LISTEN, .protocols = protocols,
		.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT,
		.user = l, .gid = -1, .uid = -1, .timeout_secs = 10, .vhost_name = "client" };
	lws_set_log_level(LLL_ERR, silent);
	l->context = lws_create_context(&info);
	if (!l->context)
		return err_say(-ENOMEM, "libwebsockets has no context");
	info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
	l->client_vhost = lws_create_vhost(l->context, &info);
	lws_sock_file_fd_type fd = { .filefd = fcntl(l->epoll_fd, F_DUPFD_CLOEXEC, 0) }; /* it closes what it was given */
	if (l->client_vhost && fd.filefd >= 0 &&
			lws_adopt_descriptor_vhost(l->client_vhost, LWS_ADOPT_RAW_FILE_DESC, fd, protocols[0].name, NULL))
		return 0;
	wsock_client_free(l);
	return err_say(-EIO, "libwebsockets does not take the epoll descriptor");
}

int wsock_client_turn(struct wsock_loop *l, bool wait)
{
	if (lws_service(l->context, wait ? 0 : -1) < 0)
		return err_say(-EIO, "libwebsockets: the loop is broken");
	return 0;
}

void wsock_client_free(struct wsock_loop *l)
{
	if (!l->context)
		return;
	lws_context_destroy(l->context);
	l->context = NULL;
	l->client_vhost = NULL;
}

void wsock_client_write(struct wsock_conn *c)
{
	if (c->wsi)
		(void) lws_callback_on_writable(c->wsi);
}

void wsock_client_cut(struct wsock_conn *c)
{
	if (c->wsi)
		lws_set_timeout(c->wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_ASYNC);
	else if (c->deadline_ms == 0)
		wsock_conn_gone(c, NULL);
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
		.local_protocol_name = protocols[0].name, .alpn = "http/1.1", .opaque_user_data = c, .pwsi = &c->wsi };
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
	int r = library_start(l);
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
