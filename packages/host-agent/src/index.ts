export { type RunningAgent, startAgent } from './agent.ts';
