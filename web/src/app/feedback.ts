// Sounds and vibration, made here: a tone for each thing that happens to a bet. Silent when muted, and until the player has touched
// the page, which browsers ask for anyway.
import { useEffect } from 'react';
import type { Notice } from '../state/game.js';
import { useGame } from '../state/hooks.js';

/** Hz, seconds from the start; played softly one after the other. */
const TONES: Partial<Record<Notice['kind'], { notes: [number, number][]; buzz: number[] }>> = {
	pending: { notes: [[520, 0]], buzz: [8] },
	confirmed: { notes: [[660, 0], [880, 0.07]], buzz: [12] },
	won: { notes: [[660, 0], [880, 0.09], [1100, 0.18], [1320, 0.27]], buzz: [20, 40, 30] },
	lost: { notes: [[300, 0], [240, 0.1]], buzz: [] },
	void: { notes: [[440, 0], [440, 0.12]], buzz: [10] },
	refused: { notes: [[220, 0]], buzz: [30, 30, 30] },
};
const LOUD = 0.05, NOTE_S = 0.16;

let audio: AudioContext | undefined;

function play(notes: [number, number][]): void {
	audio ??= new AudioContext();
	for (const [hz, after] of notes) {
		const tone = audio.createOscillator(), volume = audio.createGain(), at = audio.currentTime + after;
		tone.frequency.value = hz;
		tone.type = 'sine';
		volume.gain.setValueAtTime(0, at);
		volume.gain.linearRampToValueAtTime(LOUD, at + 0.01);
		volume.gain.exponentialRampToValueAtTime(0.0005, at + NOTE_S);
		tone.connect(volume).connect(audio.destination);
		tone.start(at);
		tone.stop(at + NOTE_S);
	}
}

export function useFeedback(): void {
	const game = useGame();
	useEffect(() => game.onNotice(({ kind }) => {
		const tone = TONES[kind];
		if (!tone || game.view.get().settings.muted || navigator.userActivation?.hasBeenActive === false)
			return;
		play(tone.notes);
		if (tone.buzz.length > 0)
			navigator.vibrate?.(tone.buzz);
	}), [game]);
}
