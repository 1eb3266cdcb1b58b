#include "wsock_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clk.h"
#include "err.h"

enum { URL_MAX = 1024 };

struct url {
	char host[256];
	char path[URL_MAX];
	int port;
	bool tls;
};

/* ws://host[:port][/path][?query], and wss. */
static bool url_parse(struct url *ret, const char *text)
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

int wsock_connect(struct wsock_loop *l, struct wsock_conn **ret, const struct wsock_client_conf *conf)
{
	struct url url;
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
	c->deadline_ms = conf->connect_ms ? clk_mono_ms() + conf->connect_ms : 0;
	(void) snprintf(c->peer, sizeof c->peer, "%.45s", url.host);
	char host[sizeof url.host + 8];
	if (url.port == (url.tls ? 443 : 80))
		(void) snprintf(host, sizeof host, "%s", url.host);
	else
		(void) snprintf(host, sizeof host, "%s:%d", url.host, url.port);
	struct lws_client_connect_info info = { .context = l->context, .vhost = l->client_vhost, .address = url.host,
		.port = url.port, .path = url.path, .host = host, .ssl_connection = url.tls ? LCCSCF_USE_SSL : 0,
		.local_protocol_name = wsock_protocols[0].name, .alpn = "http/1.1", .opaque_user_data = c, .pwsi = &c->wsi };
	l->connecting = c;
	struct lws *wsi = lws_client_connect_via_info(&info);
	bool still_there = l->connecting == c;
	l->connecting = NULL;
	if (!wsi) {
		if (still_there)
			wsock_conn_free(c);
		return err_say(-ECONNREFUSED, "%s: no connection", conf->url);
	}
	*ret = c;
	return 0;
}
