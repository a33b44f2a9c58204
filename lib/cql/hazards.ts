export { hazardAdvice } from './judgement.js';
