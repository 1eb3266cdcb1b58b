#include "floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clk.h"
#include "err.h"

struct bare {
	int epoll_fd, listen_fd, go_fd;
	int fds[SWARM_MAX + 64];
	size_t n;
	int64_t from_us; /* 0: not begun */
	size_t next;
	const struct takes *takes;
	struct floor_count *count;
};

static void take_in(struct bare *b)
{
	int fd = accept4(b->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
	if (fd < 0)
		return;
	if (b->n == sizeof b->fds / sizeof b->fds[0]) {
		(void) close(fd);
		return;
	}
	(void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };
	(void) epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, fd, &e);
	b->fds[b->n++] = fd;
}

static void hear(int fd)
{
	static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
	char head[1024];
	ssize_t n = recv(fd, head, sizeof head, MSG_DONTWAIT);
	if (n > 0 && head[0] == 'G')
		n = send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == 0)
		(void) shutdown(fd, SHUT_RDWR); /* it stays in the list: closed with all at the end */
}

static void send_due(struct bare *b)
{
	int64_t at_us = clk_mono_us() - b->from_us;
	const struct takes *t = b->takes;
	for (; b->from_us && b->next < t->n && t->v[b->next].at_us - t->v[0].at_us <= at_us; b->next++)
		for (size_t i = 0; i < b->n; i++) {
			ssize_t n = send(b->fds[i], t->v[b->next].bytes, t->v[b->next].n, MSG_NOSIGNAL | MSG_DONTWAIT);
			atomic_fetch_add(n == (ssize_t) t->v[b->next].n ? &b->count->written : &b->count->failed, 1);
		}
	if (b->next == t->n)
		atomic_store(&b->count->is_done, true);
}

static int wait_ms(const struct bare *b)
{
	const struct takes *t = b->takes;
	if (!b->from_us || b->next == t->n)
		return -1;
	int64_t us = t->v[b->next].at_us - t->v[0].at_us - (clk_mono_us() - b->from_us);
	return us > 0 ? (int) (us / 1000) + 1 : 0;
}

NORETURN static void run(struct bare *b)
{
	struct epoll_event e[256];
	(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int n = epoll_wait(b->epoll_fd, e, 256, wait_ms(b));
		for (int i = 0; i < n; i++) {
			char c;
			if (e[i].data.fd == b->listen_fd)
				take_in(b);
			else if (e[i].data.fd != b->go_fd)
				hear(e[i].data.fd);
			else if (read(b->go_fd, &c, 1) == 1)
				b->from_us = clk_mono_us();
			else
				_exit(0);
		}
		send_due(b);
	}
}

static int listen_somewhere(uint16_t *ret_port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *) &at, len) < 0 || listen(fd, SOMAXCONN) < 0 ||
			getsockname(fd, (struct sockaddr *) &at, &len) < 0)
		return err_say(-errno, "a port for the floor: %s", strerror(errno));
	*ret_port = ntohs(at.sin_port);
	return fd;
}

int floor_start(struct floor *f, const struct takes *takes)
{
	int go[2];
	struct bare *b = calloc(1, sizeof *b);
	if (!b)
		return -ENOMEM;
	f->count = mmap(NULL, sizeof *f->count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (f->count == MAP_FAILED) {
		free(b);
		return err_say(-ENOMEM, "no memory to share with the floor");
	}
	b->takes = takes;
	b->count = f->count;
	b->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	b->listen_fd = listen_somewhere(&f->port);
	if (b->epoll_fd < 0 || b->listen_fd < 0 || pipe(go) < 0) {
		free(b);
		return err_say(-EIO, "the floor has no descriptors");
	}
	b->go_fd = go[0];
	struct epoll_event door = { .events = EPOLLIN, .data.fd = b->listen_fd };
	struct epoll_event start = { .events = EPOLLIN, .data.fd = b->go_fd };
	(void) epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, b->listen_fd, &door);
	(void) epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, b->go_fd, &start);
	f->pid = fork();
	if (f->pid == 0) {
		(void) close(go[1]);
		run(b);
	}
	(void) close(b->epoll_fd);
	(void) close(b->listen_fd);
	(void) close(go[0]);
	free(b);
	f->go_fd = go[1];
	return f->pid < 0 ? err_say(-errno, "fork: %s", strerror(errno)) : 0;
}

void floor_go(struct floor *f)
{
	ssize_t n = write(f->go_fd, "g", 1);
	(void) n;
}

void floor_stop(struct floor *f)
{
	(void) close(f->go_fd);
	(void) waitpid(f->pid, NULL, 0);
	(void) munmap(f->count, sizeof *f->count);
}
