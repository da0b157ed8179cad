import { createRoot } from 'react-dom/client';
import { Root } from './app/root.js';
import { giveStylesTheNonce } from './app/style-nonce.js';
import './app/base.css';

giveStylesTheNonce();
const element = document.getElementById('root');
if (!element) throw new Error('index.html has no element "root"');
createRoot(element).render(<Root />);
