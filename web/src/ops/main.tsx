import { createRoot } from 'react-dom/client';
import '../app/style.css';
import './ops.css';
import { Operations } from './Operations.js';

createRoot(document.getElementById('root') as HTMLElement).render(<Operations />);
