/* tap-trading-smoke: one signed bet for who asks whether bets are taken (scripts/host). */
#include "smoke.h"

int main(int argc, char **argv)
{
	return smoke_main(argc, argv);
}
