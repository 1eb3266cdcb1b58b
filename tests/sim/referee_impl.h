/* referee_impl.h - the model that the files of the referee share; nobody else includes it. referee.c: accounts, what is decided, the
 * books as a whole; referee_taps.c: what a tap must be answered; referee_path.c: paths and digests. */
#ifndef TAP_SIM_REFEREE_IMPL_H
#define TAP_SIM_REFEREE_IMPL_H

#include "bet.h"
#include "referee.h"
#include "referee_path.h"

enum { COLUMNS = 2048, BETS = 64, NONCES = 1 << 16, W = 5, H = 2000, AHEAD = 12, LIFE_MS = 1000, UNDROPPED_MS = 40000, TAPS = 64, DECIDED = 512 };

struct model_bet {
	int w;
	int64_t low, stake, rate, rate_min, signed_s, balance_after, payout;
	uint8_t nonce[NONCE_SIZE];
	enum bet_state state;
};

struct model_column {
	int64_t t0_s;
	bool recorded;
	struct verdict verdict;
	int64_t decided_ms; /* true time; 0: not all its bets are */
	int64_t worst;
	int n;
	struct model_bet bets[BETS];
};

struct model_wallet {
	int64_t user, balance, seq, open_stake, open_bets, cap_column, cap_open;
	bool opened, suspended;
};

struct referee {
	const struct settings *s;
	const char *dir;
	struct week *look;
	struct model_wallet wallets[WALLETS + 1];
	struct model_column columns[COLUMNS]; /* by t0 */
	int nonce_life[NONCES];               /* in which of the api's lives an answer spent it; 0: in none */
	int life;
	int64_t api_newest_ms, house_kept_ms, next_s;
	int64_t sparse_until_s; /* a resolver that was long away may pass over what is empty before it */
	bool any_column, passes_unread;
	uint8_t digest[32];
	int64_t recorded_s; /* the newest column in the book, and its digest; 0: none yet */
	uint8_t recorded_digest[32];
	struct verdict pending; /* what the column asked for last will be, when it is recorded now */
	struct verdict begun;   /* what the resolver before this one was at when it ended */
	struct intake_tap unknown[TAPS]; /* could not be told */
	size_t n_unknown;
	int64_t open_bets, open_columns; /* worst payouts of the bets that are not decided, of the columns that are not */
	struct {
		int64_t at_ms, worst;
	} decided[DECIDED];              /* lately, the newest before n_decided */
	int n_decided;
	struct referee_counts counts;
};
extern struct referee r;

int wallet_number(const struct wallet *wallet);
/* Its place; what stood there is decided long ago. */
struct model_column *column_at(int64_t t0_s);
/* Without taking its place; NULL: nothing is known of it. */
const struct model_column *peek(int64_t t0_s);
struct model_bet *find_bet(struct model_column *c, int w, int64_t low);
int64_t pays(int64_t stake, int64_t rate);

#endif
