// The words of the player's language; English where there is no other.
import { en, type Words } from './en.js';

const languages: Record<string, Words> = { en };

export const words: Words = languages[typeof navigator === 'undefined' ? 'en' : navigator.language.slice(0, 2)] ?? en;
