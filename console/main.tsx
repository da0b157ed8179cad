import { createRoot } from 'react-dom/client';
import { rightAddress } from './app/base-path.js';
import { Root } from './app/root.js';
import { giveStylesTheNonce } from './app/style-nonce.js';
import './app/base.css';

giveStylesTheNonce();
const element = document.getElementById('root');
if (!element) throw new Error('index.html has no element "root"');
const elsewhere = rightAddress(window.location);
if (elsewhere === undefined) createRoot(element).render(<Root />);
else window.location.replace(elsewhere);
