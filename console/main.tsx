import { createRoot } from 'react-dom/client';
import { Root } from './app/root.js';
import './app/base.css';

const element = document.getElementById('root');
if (!element) throw new Error('index.html has no element "root"');
createRoot(element).render(<Root />);
