/* wsock: both ends in one loop, and strangers on raw sockets who do not keep to the protocol. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clk.h"
#include "wsock.h"

enum { MESSAGE_MAX = 4096, OUT_MAX = 64, IDLE_MS = 600, PING_MS = 200 };

/* what one side saw, and what it wants to send */
struct side {
	struct wsock_conn *c;
	int opens, texts, binaries, pongs, closes;
	unsigned code;
	char why[128], last[MESSAGE_MAX + 1], peer[64], path[64];
	struct wsock_frame *out[OUT_MAX];
	int n_out, sent;
	bool refuse_open, echo, floods;
	struct wsock_frame *flood;
};

static struct side server, client;
static struct wsock_loop *loop;
static char handshake_origin[64], handshake_path[64], handshake_ip[64];

static bool on_open(struct wsock_conn *c, void **u)
{
	struct side *s = *u;
	s->c = c;
	s->opens++;
	(void) snprintf(s->peer, sizeof s->peer, "%s", wsock_peer(c));
	(void) snprintf(s->path, sizeof s->path, "%s", wsock_path(c));
	return !s->refuse_open;
}

static void push(struct side *s, struct wsock_frame *f)
{
	assert_true(s->n_out < OUT_MAX);
	s->out[s->n_out++] = f;
	wsock_want_write(s->c);
}

static void on_text(struct wsock_conn *c, void *u, const char *text, size_t n)
{
	struct side *s = u;
	s->texts++;
	assert_int_equal(text[n], '\0');
	memcpy(s->last, text, n + 1);
	(void) c;
	if (s->echo)
		push(s, wsock_frame_new(text, n));
}

static void on_binary(struct wsock_conn *c, void *u)
{
	(void) c;
	((struct side *) u)->binaries++;
}

static struct wsock_frame *on_writable(struct wsock_conn *c, void *u)
{
	struct side *s = u;
	if (s->floods) {
		s->sent++;
		wsock_want_write(c);
		return wsock_frame_ref(s->flood);
	}
	if (s->sent == s->n_out)
		return NULL;
	struct wsock_frame *f = s->out[s->sent++];
	if (s->sent < s->n_out)
		wsock_want_write(c);
	return f;
}

static void on_pong(struct wsock_conn *c, void *u)
{
	(void) c;
	((struct side *) u)->pongs++;
}

static void on_close(struct wsock_conn *c, void *u, unsigned code, const char *why)
{
	(void) c;
	struct side *s = u;
	s->closes++;
	s->c = NULL;
	s->code = code;
	(void) snprintf(s->why, sizeof s->why, "%s", why ? why : "");
}

static unsigned on_handshake(const char *path, const char *origin, const char *peer_ip, void *u)
{
	assert_ptr_equal(u, &server);
	(void) snprintf(handshake_path, sizeof handshake_path, "%s", path);
	(void) snprintf(handshake_origin, sizeof handshake_origin, "%s", origin ? origin : "(none)");
	(void) snprintf(handshake_ip, sizeof handshake_ip, "%s", peer_ip);
	if (origin && strcmp(origin, "http://good.example") != 0)
		return 403;
	return strcmp(peer_ip, "192.0.2.99") == 0 ? 429 : 0;
}

static const struct wsock_ops server_ops = { .on_open = on_open, .on_text = on_text, .on_writable = on_writable,
	.on_pong = on_pong, .on_close = on_close, .on_handshake = on_handshake };
static const struct wsock_ops client_ops = { .on_open = on_open, .on_text = on_text, .on_binary = on_binary,
	.on_writable = on_writable, .on_close = on_close };

static int set_up(void **state)
{
	(void) state;
	memset(&server, 0, sizeof server);
	memset(&client, 0, sizeof client);
	assert_int_equal(wsock_loop_new(&loop), 0);
	struct wsock_server_conf conf = { .host = "127.0.0.1", .port = 0, .listen_fd = -1, .path = "/ws",
		.message_max = MESSAGE_MAX, .ping_ms = PING_MS, .idle_ms = IDLE_MS, .connections_max = 8,
		.plain_upgrade_only = true, .ops = &server_ops, .u = &server };
	assert_int_equal(wsock_listen(loop, &conf), 0);
	assert_true(wsock_server_port(loop) > 0);
	return 0;
}

static int tear_down(void **state)
{
	(void) state;
	loop = wsock_loop_free(loop);
	for (; server.sent < server.n_out; server.sent++)
		(void) wsock_frame_unref(server.out[server.sent]);
	for (; client.sent < client.n_out; client.sent++)
		(void) wsock_frame_unref(client.out[client.sent]);
	return 0;
}

#define TURN_UNTIL(condition)                                                         \
	for (int64_t until_ms = clk_mono_ms() + 20000; !(condition);) {                \
		assert_true(clk_mono_ms() < until_ms);                                \
		assert_int_equal(wsock_turn(loop, 20), 0);                            \
	}

static void turn_for(int ms)
{
	for (int64_t until = clk_mono_ms() + ms; clk_mono_ms() < until;)
		assert_int_equal(wsock_turn(loop, 10), 0);
}

static void connect_client(const char *path)
{
	char url[128];
	(void) snprintf(url, sizeof url, "ws://127.0.0.1:%u%s", wsock_server_port(loop), path);
	struct wsock_client_conf conf = { .url = url, .message_max = MESSAGE_MAX, .connect_ms = 1000, .ops = &client_ops,
		.u = &client };
	assert_int_equal(wsock_connect(loop, &client.c, &conf), 0);
}

static void open_both(void)
{
	connect_client("/ws?a=b");
	TURN_UNTIL(client.opens && server.opens);
	assert_int_equal(wsock_connections(loop), 1);
}

/* --- a stranger --- */

static int stranger(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(wsock_server_port(loop)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *) &to, sizeof to), 0);
	return fd;
}

static void say(int fd, const void *bytes, size_t n)
{
	assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), (ssize_t) n);
}

/* Reads at least `least` bytes, or to the end; returns how many. */
static size_t hear(int fd, char *out, size_t size, size_t least)
{
	size_t n = 0;
	for (int64_t until = clk_mono_ms() + 5000; n < least && n < size;) {
		ssize_t got = recv(fd, out + n, size - n, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno == ECONNRESET))
			break;
		n += got > 0 ? (size_t) got : 0;
		assert_true(clk_mono_ms() < until);
		assert_int_equal(wsock_turn(loop, 5), 0);
	}
	return n;
}

#define GOOD_LINE "GET /ws HTTP/1.1\r\nHost: x\r\n"
#define GOOD_REST "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define GOOD_UPGRADE "Upgrade: websocket\r\n"
#define END "\r\n"

static unsigned status_of(const char *head)
{
	char answer[1024] = "";
	int fd = stranger();
	say(fd, head, strlen(head));
	size_t n = hear(fd, answer, sizeof answer - 1, 12);
	(void) close(fd);
	unsigned status = 0;
	if (n >= 12)
		(void) sscanf(answer, "HTTP/1.1 %u", &status);
	if (status >= 400 && n > 100) { /* a problem is told like the api's */
		static const char *const members[] = { "\"title\":\"", "\"status\":", "\"code\":\"", "\"detail\":\"",
			"\"request_id\":\"" };
		for (size_t i = 0; i < ARRAY_LEN(members); i++)
			assert_non_null(strstr(answer, members[i]));
	}
	return status;
}

static int open_stranger(const char *more)
{
	char head[1024], answer[1024];
	int fd = stranger(), opens = server.opens;
	(void) snprintf(head, sizeof head, "%s%s%s%s%s", GOOD_LINE, GOOD_UPGRADE, GOOD_REST, more, END);
	say(fd, head, strlen(head));
	char *end = NULL; /* not a byte beyond the head: a frame may follow at once */
	for (int64_t until = clk_mono_ms() + 5000; !end; assert_int_equal(wsock_turn(loop, 5), 0)) {
		ssize_t got = recv(fd, answer, sizeof answer, MSG_PEEK | MSG_DONTWAIT);
		end = got > 0 ? memmem(answer, (size_t) got, END END, 4) : NULL;
		assert_true(clk_mono_ms() < until);
	}
	size_t n = (size_t) (end - answer) + 4;
	assert_int_equal(recv(fd, answer, n, 0), (ssize_t) n);
	assert_true(n > 12 && memcmp(answer, "HTTP/1.1 101", 12) == 0);
	assert_non_null(memmem(answer, n, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28)); /* RFC 6455 1.3 */
	TURN_UNTIL(server.opens > opens);
	return fd;
}

static void frame(int fd, unsigned first, const char *payload, size_t n)
{
	unsigned char bytes[16384];
	size_t at = 0;
	bytes[at++] = (unsigned char) first;
	if (n < 126)
		bytes[at++] = (unsigned char) (0x80 | n);
	else {
		bytes[at++] = 0x80 | 126;
		bytes[at++] = (unsigned char) (n >> 8);
		bytes[at++] = (unsigned char) n;
	}
	static const unsigned char mask[4] = { 1, 2, 3, 4 };
	memcpy(bytes + at, mask, 4);
	at += 4;
	for (size_t i = 0; i < n; i++)
		bytes[at++] = (unsigned char) payload[i] ^ mask[i % 4];
	say(fd, bytes, at);
}

static unsigned close_code_heard(int fd)
{
	unsigned char bytes[256];
	size_t n = hear(fd, (char *) bytes, sizeof bytes, 4);
	for (size_t i = 0; i + 3 < n; i++)
		if (bytes[i] == 0x88 && bytes[i + 1] >= 2)
			return (unsigned) bytes[i + 2] << 8 | bytes[i + 3];
	return 0;
}

/* --- tests --- */

static void texts_go_both_ways(void **state)
{
	(void) state;
	open_both();
	assert_string_equal(server.path, "/ws?a=b");
	assert_string_equal(handshake_path, "/ws?a=b");
	assert_string_equal(handshake_origin, "(none)");
	assert_string_equal(server.peer, "127.0.0.1");
	server.echo = true;
	push(&client, wsock_frame_new("hello", 5));
	TURN_UNTIL(client.texts == 1);
	assert_string_equal(client.last, "hello");
	/* one frame for many, and more than one sending of it */
	struct wsock_frame *shared = wsock_frame_new("shared \xe2\x82\xac", 10);
	for (int i = 0; i < 5; i++) {
		push(&server, wsock_frame_ref(shared));
		push(&client, wsock_frame_ref(shared));
	}
	(void) wsock_frame_unref(shared);
	TURN_UNTIL(client.texts == 1 + 5 + 5 && server.texts == 1 + 5);
	assert_string_equal(client.last, "shared \xe2\x82\xac");
	assert_string_equal(server.last, "shared \xe2\x82\xac");
	/* an empty one, and the longest one */
	push(&client, wsock_frame_new("", 0));
	TURN_UNTIL(client.texts == 12);
	assert_string_equal(client.last, "");
	char longest[MESSAGE_MAX];
	memset(longest, 'x', sizeof longest);
	push(&client, wsock_frame_new(longest, sizeof longest));
	TURN_UNTIL(client.texts == 13);
	assert_int_equal(strlen(client.last), MESSAGE_MAX);
}

static void closing_tells_both_sides(void **state)
{
	(void) state;
	open_both();
	wsock_close(server.c, 4401, "session ended");
	wsock_close(server.c, 1000, "too late");
	TURN_UNTIL(client.closes && server.closes);
	assert_int_equal(server.code, 4401);
	assert_int_equal(client.code, 4401);
	assert_string_equal(client.why, "session ended");
	assert_int_equal(wsock_connections(loop), 0);
	memset(&client, 0, sizeof client);
	memset(&server, 0, sizeof server);
	open_both();
	wsock_close(client.c, 1000, "");
	TURN_UNTIL(client.closes && server.closes);
	assert_int_equal(server.code, 1000);
	memset(&client, 0, sizeof client);
	memset(&server, 0, sizeof server);
	open_both();
	wsock_close(client.c, 0, "");
	TURN_UNTIL(client.closes && server.closes);
	assert_int_equal(server.code, 1006);
	assert_int_equal(client.code, 1006);
	memset(&client, 0, sizeof client);
	memset(&server, 0, sizeof server);
	server.refuse_open = true; /* heard on a raw socket: the library's client reads 1012 to 1014 as 1002 */
	int fd = open_stranger("");
	assert_int_equal(close_code_heard(fd), 1013);
	(void) close(fd);
}

static void a_failed_connection_is_told_once(void **state)
{
	(void) state;
	struct wsock_client_conf conf = { .url = "ws://127.0.0.1:1/", .message_max = 10, .connect_ms = 1000,
		.ops = &client_ops, .u = &client };
	struct wsock_conn *c;
	int r = wsock_connect(loop, &c, &conf);
	if (r == 0)
		TURN_UNTIL(client.closes == 1);
	assert_int_equal(client.closes, r == 0);
	assert_int_equal(client.opens, 0);
	connect_client("/elsewhere"); /* 404 */
	TURN_UNTIL(client.closes == (r == 0) + 1);
	assert_int_equal(client.opens, 0);
	/* a name is looked up beside the loop, and may have no address */
	conf.url = "ws://no-such-host.invalid/";
	conf.connect_ms = 4000;
	int before = client.closes;
	assert_int_equal(wsock_connect(loop, &c, &conf), 0);
	TURN_UNTIL(client.closes == before + 1);
	char named[64];
	(void) snprintf(named, sizeof named, "ws://localhost:%u/ws", wsock_server_port(loop));
	conf.url = named;
	assert_int_equal(wsock_connect(loop, &c, &conf), 0);
	TURN_UNTIL(client.opens == 1);
	wsock_close(c, 1000, "");
	TURN_UNTIL(client.closes == before + 2);
	static const char *const bad[] = { "http://x/", "ws://", "ws://x:0/", "ws://x:99999/", "ws://x:1x/", "" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		conf.url = bad[i];
		assert_int_equal(wsock_connect(loop, &c, &conf), -EINVAL);
	}
	/* a server that takes the connection and says nothing */
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	assert_int_equal(bind(fd, (struct sockaddr *) &at, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *) &at, &len), 0);
	char url[64];
	(void) snprintf(url, sizeof url, "ws://127.0.0.1:%u/", ntohs(at.sin_port));
	conf.url = url;
	conf.connect_ms = 300;
	memset(&client, 0, sizeof client);
	int64_t from = clk_mono_ms();
	assert_int_equal(wsock_connect(loop, &c, &conf), 0);
	TURN_UNTIL(client.closes == 1);
	assert_true(clk_mono_ms() - from < 20000);
	(void) close(fd);
}

static void strangers_are_refused_at_the_door(void **state)
{
	(void) state;
	static const struct { const char *head; unsigned status; } heads[] = {
		{ GOOD_LINE GOOD_UPGRADE GOOD_REST END, 101 },
		{ GOOD_LINE GOOD_UPGRADE GOOD_REST "Origin: http://good.example\r\n" END, 101 },
		{ GOOD_LINE GOOD_UPGRADE GOOD_REST "Origin: http://evil.example\r\n" END, 403 },
		{ GOOD_LINE GOOD_UPGRADE GOOD_REST "X-Real-IP: 192.0.2.99\r\n" END, 429 },
		{ GOOD_LINE GOOD_REST END, 426 },
		{ GOOD_LINE "Upgrade: h2c\r\n" GOOD_REST END, 400 },
		{ GOOD_LINE "Upgrade: WebSocket\r\n" GOOD_REST END, 400 },
		{ GOOD_LINE "Upgrade: websocket, h2c\r\n" GOOD_REST END, 400 },
		{ GOOD_LINE "Upgrade: websocketx\r\n" GOOD_REST END, 400 },
		{ GOOD_LINE "Upgrade:\r\n" GOOD_REST END, 400 },
		{ GOOD_LINE GOOD_UPGRADE GOOD_UPGRADE GOOD_REST END, 400 },
		{ GOOD_LINE GOOD_UPGRADE "Upgrade: mqtt\r\n" GOOD_REST END, 400 },
		{ GOOD_LINE GOOD_UPGRADE "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" END, 426 },
		{ GOOD_LINE GOOD_UPGRADE "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n" END, 400 },
		{ GOOD_LINE GOOD_UPGRADE "Connection: close\r\nSec-WebSocket-Version: 13\r\n"
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" END, 400 },
		{ GOOD_LINE GOOD_UPGRADE GOOD_REST "Content-Length: 5\r\n" END, 400 },
		{ GOOD_LINE GOOD_UPGRADE GOOD_REST "Transfer-Encoding: chunked\r\n" END, 400 },
		{ GOOD_LINE GOOD_UPGRADE GOOD_REST "no colon\r\n" END, 400 },
		{ GOOD_LINE GOOD_UPGRADE GOOD_REST " folded: x\r\n" END, 400 },
		{ GOOD_LINE GOOD_UPGRADE GOOD_REST END "early bytes", 400 },
		{ "GET /ws HTTP/1.1\r\n" GOOD_UPGRADE GOOD_REST END, 400 },
		{ "GET /wsx HTTP/1.1\r\nHost: x\r\n" GOOD_UPGRADE GOOD_REST END, 404 },
		{ "GET / HTTP/1.1\r\nHost: x\r\n" END, 426 },
		{ "POST /ws HTTP/1.1\r\nHost: x\r\n" END, 405 },
		{ "GET /ws HTTP/2.0\r\nHost: x\r\n" END, 400 },
		{ "GET  /ws HTTP/1.1\r\nHost: x\r\n" END, 400 },
		{ "\x16\x03\x01\x02\r\n\r\n", 400 },
		{ "\r\n\r\n", 400 },
	};
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		unsigned status = status_of(heads[i].head);
		if (status != heads[i].status)
			fail_msg("%s: %u instead of %u", heads[i].head, status, heads[i].status);
	}
	assert_string_equal(handshake_ip, "192.0.2.99"); /* our neighbour, the proxy, is believed */
	turn_for(100);
}

static void long_and_slow_heads_end(void **state)
{
	(void) state;
	char big[9000], answer[512] = "";
	memset(big, 'a', sizeof big);
	memcpy(big, GOOD_LINE "X: ", sizeof(GOOD_LINE "X: ") - 1);
	int fd = stranger();
	say(fd, big, sizeof big);
	assert_true(hear(fd, answer, sizeof answer - 1, 12) >= 12);
	assert_memory_equal(answer, "HTTP/1.1 431", 12);
	(void) close(fd);
	/* byte by byte is fine, as long as it ends in time */
	static const char head[] = GOOD_LINE GOOD_UPGRADE GOOD_REST END;
	fd = stranger();
	for (size_t i = 0; i < sizeof head - 1; i++) {
		say(fd, head + i, 1);
		assert_int_equal(wsock_turn(loop, 1), 0);
	}
	assert_true(hear(fd, answer, sizeof answer - 1, 12) >= 12);
	assert_memory_equal(answer, "HTTP/1.1 101", 12);
	(void) close(fd);
	/* one that does not end is dropped, though a byte comes now and then */
	fd = stranger();
	int64_t from = clk_mono_ms();
	bool ended = false;
	while (!ended && clk_mono_ms() - from < 8000) {
		ssize_t n = send(fd, "G", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		char c;
		ended = n < 0 || recv(fd, &c, 1, MSG_DONTWAIT) == 0;
		turn_for(200);
	}
	assert_true(ended);
	assert_true(clk_mono_ms() - from >= 4000);
	(void) close(fd);
}

static void messages_are_put_together_within_bounds(void **state)
{
	(void) state;
	int fd = open_stranger("X-Real-IP: 2001:db8::7\r\n");
	assert_string_equal(server.peer, "2001:db8::7");
	frame(fd, 0x01, "one ", 4);
	frame(fd, 0x89, "ping", 4); /* between the pieces of a message */
	frame(fd, 0x00, "two ", 4);
	frame(fd, 0x80, "three", 5);
	TURN_UNTIL(server.texts == 1);
	assert_string_equal(server.last, "one two three");
	char pong[6];
	assert_int_equal(hear(fd, pong, sizeof pong, 6), 6);
	assert_memory_equal(pong, "\x8a\x04ping", 6);
	(void) close(fd);
	TURN_UNTIL(server.closes == 1);
	assert_int_equal(server.code, 1006);

	static char big[MESSAGE_MAX + 1];
	memset(big, 'y', sizeof big);
	fd = open_stranger("");
	frame(fd, 0x81, big, MESSAGE_MAX);
	TURN_UNTIL(server.texts == 2);
	frame(fd, 0x81, big, MESSAGE_MAX + 1);
	assert_int_equal(close_code_heard(fd), 1009);
	(void) close(fd);
	fd = open_stranger("");
	frame(fd, 0x01, big, MESSAGE_MAX);
	frame(fd, 0x80, "z", 1);
	assert_int_equal(close_code_heard(fd), 1009);
	(void) close(fd);
	fd = open_stranger("");
	frame(fd, 0x82, "bin", 3);
	assert_int_equal(close_code_heard(fd), 1003);
	(void) close(fd);
	static const char *const ill[] = { "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\xf0\x8f\xbf\xbf" };
	for (size_t i = 0; i < ARRAY_LEN(ill); i++) {
		fd = open_stranger("");
		frame(fd, 0x81, ill[i], strlen(ill[i]));
		assert_int_equal(close_code_heard(fd), 1007);
		(void) close(fd);
	}
	assert_int_equal(server.texts, 2);
	TURN_UNTIL(wsock_connections(loop) == 0);
}

static void nonsense_after_the_handshake_ends_the_connection(void **state)
{
	(void) state;
	static const struct { const char *p; size_t n; } junk[] = {
		{ "\xf1\x81\0\0\0\0x", 7 },             /* reserved bits */
		{ "\x83\x81\0\0\0\0x", 7 },             /* reserved opcode */
		{ "\x80\x81\0\0\0\0x", 7 },             /* nothing to continue */
		{ "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14 }, /* a length beyond 63 bits */
		{ "\x89\xfe\x01\0\0\0\0\0", 8 },        /* a long control frame */
	};
	for (size_t i = 0; i < ARRAY_LEN(junk); i++) {
		int fd = open_stranger("");
		int closes = server.closes;
		say(fd, junk[i].p, junk[i].n);
		unsigned code = close_code_heard(fd);
		if (code != 1002 && code != 0)
			fail_msg("junk %zu: %u", i, code);
		TURN_UNTIL(server.closes > closes);
		(void) close(fd);
	}
	assert_int_equal(server.texts, 0);
}

static void silence_is_asked_and_then_ended(void **state)
{
	(void) state;
	open_both(); /* the library's client answers pings by itself */
	turn_for(IDLE_MS + 300);
	assert_int_equal(server.closes, 0);
	assert_true(server.pongs >= 2);
	int fd = open_stranger(""); /* a stranger does not */
	int64_t from = clk_mono_ms();
	TURN_UNTIL(server.closes == 1);
	assert_in_range(clk_mono_ms() - from, IDLE_MS - 50, IDLE_MS + 20000);
	(void) close(fd);
}

static void who_does_not_read_is_still_closed(void **state)
{
	(void) state;
	char big[32768];
	memset(big, 'z', sizeof big);
	server.flood = wsock_frame_new(big, sizeof big);
	int fd = open_stranger("");
	server.floods = true;
	wsock_want_write(server.c);
	int sent = -1;
	while (sent != server.sent) { /* until the buffers are full: who is slow is asked no more */
		sent = server.sent;
		turn_for(150);
		assert_true(sent < 1000);
	}
	int64_t from = clk_mono_ms();
	wsock_close(server.c, 1013, "too slow");
	TURN_UNTIL(server.closes == 1);
	assert_true(clk_mono_ms() - from < 20000);
	assert_int_equal(server.code, 1013);
	(void) wsock_frame_unref(server.flood);
	(void) close(fd);
}

/* A connection that is closing, or whose kernel buffer is full, costs nothing until something happens to it. */
static void who_is_waited_for_costs_nothing(void **state)
{
	(void) state;
	int fd = open_stranger("");
	wsock_want_write(server.c);
	wsock_close(server.c, 1008, "asked to write, then closed");
	assert_int_equal(close_code_heard(fd), 1008);
	int turns = 0;
	for (int64_t from = clk_mono_ms(); clk_mono_ms() - from < 300 && server.closes == 0; turns++)
		assert_int_equal(wsock_turn(loop, 20), 0);
	assert_int_equal(server.closes, 0); /* the peer is given time to answer */
	assert_true(turns < 60);
	(void) close(fd);
	TURN_UNTIL(server.closes == 1);
}

static void connections_are_bounded(void **state)
{
	(void) state;
	int fds[8];
	for (int i = 0; i < 8; i++)
		fds[i] = open_stranger("");
	assert_int_equal(wsock_connections(loop), 8);
	assert_int_equal(status_of(GOOD_LINE GOOD_UPGRADE GOOD_REST END), 503);
	(void) close(fds[0]);
	TURN_UNTIL(wsock_connections(loop) == 7);
	assert_int_equal(status_of(GOOD_LINE GOOD_UPGRADE GOOD_REST END), 101);
	for (int i = 1; i < 8; i++)
		(void) close(fds[i]);
	wsock_stop_listening(loop);
	TURN_UNTIL(wsock_connections(loop) == 0);
}

static int ticks;

static void on_tick(void *u)
{
	assert_ptr_equal(u, &ticks);
	ticks++;
}

static void *wake_later(void *u)
{
	(void) clk_sleep_until_ms(clk_mono_ms() + 100);
	wsock_wake(u);
	return NULL;
}

static void the_loop_wakes_and_ticks(void **state)
{
	(void) state;
	wsock_every(loop, 50, on_tick, &ticks);
	turn_for(520);
	assert_in_range(ticks, 5, 11);
	wsock_every(loop, 0, NULL, NULL);
	pthread_t t;
	assert_int_equal(pthread_create(&t, NULL, wake_later, loop), 0);
	int64_t from = clk_mono_ms();
	int turns = 0;
	for (; clk_mono_ms() - from < 90; turns++)
		assert_int_equal(wsock_turn(loop, 20), 0);
	assert_true(turns < 20);
	from = clk_mono_ms();
	assert_int_equal(wsock_turn(loop, 0), 0);
	assert_true(clk_mono_ms() - from < 2000); /* zero does not wait */
	assert_int_equal(pthread_join(t, NULL), 0);
	/* a passed socket, and a port that is taken */
	struct wsock_loop *other;
	assert_int_equal(wsock_loop_new(&other), 0);
	struct wsock_server_conf conf = { .host = "127.0.0.1", .port = wsock_server_port(loop), .listen_fd = -1,
		.ops = &server_ops, .u = &server, .connections_max = 1 };
	assert_int_equal(wsock_listen(other, &conf), -EADDRINUSE);
	(void) wsock_loop_free(other);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(texts_go_both_ways),
		CASE(closing_tells_both_sides),
		CASE(a_failed_connection_is_told_once),
		CASE(strangers_are_refused_at_the_door),
		CASE(long_and_slow_heads_end),
		CASE(messages_are_put_together_within_bounds),
		CASE(nonsense_after_the_handshake_ends_the_connection),
		CASE(silence_is_asked_and_then_ended),
		CASE(who_does_not_read_is_still_closed),
		CASE(who_is_waited_for_costs_nothing),
		CASE(connections_are_bounded),
		CASE(the_loop_wakes_and_ticks),
	};
	return cmocka_run_group_tests_name("wsock", tests, NULL, NULL);
}
