/* tap-trading-ctl: the operator's command. */
#include "ctl.h"

int main(int argc, char **argv)
{
	return ctl_main(argc, argv, ctl_verbs);
}
