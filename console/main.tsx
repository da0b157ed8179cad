import { createRoot } from 'react-dom/client';
import { BASE_PATH, isBelowBase } from './app/base-path.js';
import { Root } from './app/root.js';
import { giveStylesTheNonce } from './app/style-nonce.js';
import './app/base.css';

giveStylesTheNonce();
const element = document.getElementById('root');
if (!element) throw new Error('index.html has no element "root"');
const { pathname, search, hash } = window.location;
if (isBelowBase(pathname)) createRoot(element).render(<Root />);
else window.location.replace(`${BASE_PATH}${pathname}${search}${hash}`);
