# Every warning is an error: a warning that is let through once is never read again.
add_compile_options(
	-Wall -Wextra -Wformat=2 -Wconversion -Wsign-conversion -Wshadow -Wvla
	-Wstrict-prototypes -Wnull-dereference -Wimplicit-fallthrough -Werror)
