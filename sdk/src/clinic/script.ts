/** Entry of the script for pages of a clinic's staff: `Queue` and `OnCall`, in `window.Bedside`. */
import { BedsideError } from '@bedside/protocol';
import type {} from '../global.ts';
import { OnCall } from './on-call.ts';
import { Queue } from './queue.ts';

window.Bedside = { BedsideError, ...window.Bedside, OnCall, Queue };
