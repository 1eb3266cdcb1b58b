/* floor seed: replaced by its first module */ typedef int tap_floor_seed;
