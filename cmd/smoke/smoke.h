/* smoke.h - signs one bet with a key of a file: the smallest stake, on a cell of a grid that was read from stdin. It speaks to
 * nobody: curl carries what it writes, so that the way through nginx and TLS is the players'.
 * Exit codes: 0, 64 wrong options, 65 the grid is none or has no open cell, 66 no key, 70 signing failed. */
#ifndef TAP_SMOKE_H
#define TAP_SMOKE_H

int smoke_main(int argc, char **argv);

#endif
