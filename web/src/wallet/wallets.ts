// Wallets of the browser: found by EIP-6963, asked by EIP-1193 through viem, and one that the page makes itself for trying the
// product out.
import type { Signer } from '@tap-trading/client';
import { createWalletClient, custom, getAddress, isAddress } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';

/** EIP-1193. */
export interface Provider {
	request(call: { method: string; params?: unknown[] }): Promise<unknown>;
	on?(event: string, handler: (value: unknown) => void): void;
	removeListener?(event: string, handler: (value: unknown) => void): void;
}
interface Announced { info: { uuid: string; name: string; rdns: string }; provider: Provider }

/** A wallet that can be chosen. `id` is the same after a reload. */
export interface WalletChoice { id: string; name: string; demo: boolean }
/** One that was chosen: signs, and tells when its owner turns to another account or chain, or away from the page. */
export interface Wallet extends Signer {
	readonly choice: WalletChoice;
	chainId(): Promise<number | undefined>;
	switchChain(id: number): Promise<void>;
	watch(handlers: { account(address: string | undefined): void; chain(id: number): void }): () => void;
}

export const DEMO: WalletChoice = { id: 'demo', name: 'demo', demo: true };
const NO_ACCOUNT = 4100; // Unauthorized
const DEMO_KEY = 'tap.demo-wallet', LOOPBACK = ['127.0.0.1', 'localhost', '[::1]'];

/** A key that lies in the browser is for play money on one's own machine. */
export const demoAllowed = (hostname: string): boolean => LOOPBACK.includes(hostname);

/** EIP-55, whatever case it came in. */
export function properAddress(text: unknown): `0x${string}` | undefined {
	return typeof text === 'string' && isAddress(text, { strict: false }) ? getAddress(text.toLowerCase()) : undefined;
}

/** Asked once for each call: a wallet's refusal is its owner's. */
const asked = (provider: Provider) => createWalletClient({
	transport: custom({ request: (call: { method: string; params?: unknown[] }) => provider.request(call) }, { retryCount: 0 }) });

/** The wallets that announced themselves; a wallet may come late. */
export class Wallets {
	private readonly found = new Map<string, Announced>();
	private readonly watchers = new Set<() => void>();
	private list: WalletChoice[] = [];

	constructor(private readonly page: Window) {
		page.addEventListener('eip6963:announceProvider', (event) => this.add((event as CustomEvent<unknown>).detail));
		page.dispatchEvent(new Event('eip6963:requestProvider'));
		this.renew();
	}

	choices = (): WalletChoice[] => this.list;

	watch = (watcher: () => void): (() => void) => {
		this.watchers.add(watcher);
		return () => { this.watchers.delete(watcher); };
	};

	async connect(choice: WalletChoice): Promise<Wallet> {
		if (choice.demo)
			return demoWallet(this.page.localStorage);
		const [address] = await asked(this.providerOf(choice)).requestAddresses();
		if (!address)
			throw Object.assign(new Error('the wallet named no account'), { code: NO_ACCOUNT });
		return this.injected(choice, address);
	}

	/** The wallet of a session from before a reload, without asking its owner anything. It may still be on its way here. */
	again(choice: WalletChoice, address: string): Wallet {
		return choice.demo ? demoWallet(this.page.localStorage) : this.injected(choice, getAddress(address));
	}

	private injected(choice: WalletChoice, address: `0x${string}`): Wallet {
		return injected(choice, () => this.providerOf(choice), this.watch, address);
	}

	private providerOf(choice: WalletChoice): Provider {
		const announced = this.found.get(choice.id);
		if (!announced)
			throw new Error(`${choice.name} is not there`);
		return announced.provider;
	}

	private add(detail: unknown): void {
		const { info, provider } = (detail ?? {}) as Partial<Announced>;
		if (typeof info?.rdns !== 'string' || typeof info.name !== 'string' || typeof provider?.request !== 'function')
			return;
		this.found.set(info.rdns, { info, provider });
		this.renew();
	}

	private renew(): void {
		this.list = [...this.found.values()].map(({ info }) => ({ id: info.rdns, name: info.name.slice(0, 40), demo: false }));
		if (demoAllowed(this.page.location.hostname))
			this.list.push(DEMO);
		for (const watcher of this.watchers)
			watcher();
	}
}

function demoWallet(storage: Storage): Wallet {
	const kept = storage.getItem(DEMO_KEY);
	const secret = kept !== null && /^0x[0-9a-f]{64}$/.test(kept) ? kept as `0x${string}` : generatePrivateKey();
	storage.setItem(DEMO_KEY, secret);
	const account = privateKeyToAccount(secret);
	return { choice: DEMO, address: account.address, signMessage: (args) => account.signMessage(args), chainId: async () => undefined,
		switchChain: async () => {}, watch: () => () => {} };
}

function injected(choice: WalletChoice, provider: () => Provider, arrivals: Wallets['watch'], address: `0x${string}`): Wallet {
	return {
		choice, address,
		signMessage: ({ message }) => asked(provider()).signMessage({ account: address, message }),
		chainId: () => asked(provider()).getChainId(),
		switchChain: (id) => asked(provider()).switchChain({ id }),
		watch: ({ account, chain }) => {
			const onAccounts = (accounts: unknown) => account(properAddress(Array.isArray(accounts) ? accounts[0] : undefined));
			const onChain = (id: unknown) => chain(Number(id));
			let to: Provider | undefined, stopWaiting = () => {};
			const begin = () => {
				try {
					to = provider();
				} catch {
					return; // not announced yet
				}
				stopWaiting();
				to.on?.('accountsChanged', onAccounts);
				to.on?.('chainChanged', onChain);
			};
			begin();
			if (!to)
				stopWaiting = arrivals(begin);
			return () => {
				stopWaiting();
				to?.removeListener?.('accountsChanged', onAccounts);
				to?.removeListener?.('chainChanged', onChain);
			};
		},
	};
}

/** What its owner can do something about, by the codes of EIP-1193 and EIP-1474: he said no, it is locked or keeps its accounts from this
 *  page, or a question of before still waits in it. */
export function troubleOf(error: unknown): 'declined' | 'locked' | 'waiting' | undefined {
	for (let at = error, deep = 0; typeof at === 'object' && at !== null && deep < 5; at = (at as { cause?: unknown }).cause, deep++)
		switch ((at as { code?: unknown }).code) {
		case 4001: return 'declined';
		case NO_ACCOUNT: return 'locked';
		case -32002: return 'waiting';
		}
	return undefined;
}
