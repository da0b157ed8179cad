import { EventEmitter, setMaxListeners } from 'node:events';
import { Turns } from '../../domain/turns.js';
import type { Behaviour } from './behaviour.js';
import { SimulatedDevice, type FleetGround } from './device.js';
import { DeviceEventKind, type DeviceEvent, type UpdateAccount } from './events.js';
import { FLAVOURS, type Flavour } from './flavour.js';
import { seededRandom } from './random.js';
import { DEFAULT_TIMING, type Timing } from './timing.js';

/** A device of a fleet, as it is before the fleet starts. */
export interface FleetDevice {
  readonly deviceName: string;
  readonly deviceSecret: string;
  /** The version that it runs. */
  readonly version: string;
  readonly behaviour: Behaviour;
  /** The SDK that it speaks like; by turns if absent. */
  readonly flavour?: Flavour;
}

export interface FleetOptions {
  readonly mqttUrl: string;
  readonly productKey: string;
  readonly devices: readonly FleetDevice[];
  readonly timing?: Partial<Timing>;
  /** Of the jitter of reconnections. */
  readonly seed?: number;
  /** Attempts to connect under way at once. */
  readonly connectsAtOnceMax?: number;
}

export interface FleetCounts {
  readonly devices: number;
  readonly online: number;
  readonly updating: number;
  /** Reports handed to a connection, each attempt counted. */
  readonly reportsSent: number;
  /** Devices whose last try to connect did not reach the broker. */
  readonly unreachable: number;
  /** Devices whose last try to sign in was refused. */
  readonly refused: number;
  /** The broker's address and the cause of the last try that failed. */
  readonly connectProblem: string | undefined;
  /** How often each kind of event has happened. */
  readonly events: Readonly<Record<DeviceEventKind, number>>;
}

/** Simulated devices on real connections. */
export class Fleet {
  /** `event`: everything that a device does, as it happens. */
  readonly events = new EventEmitter<{ event: [DeviceEvent] }>();
  private readonly devices = new Map<string, SimulatedDevice>();
  private readonly abort = new AbortController();
  private reportsSent = 0;
  private readonly broker: string;
  /** Of devices that are not connected since. */
  private readonly failedTries = new Map<string, 'unreachable' | 'refused'>();
  private connectProblem: string | undefined;
  private readonly happened = new Map<DeviceEventKind, number>();

  constructor(options: FleetOptions) {
    // Every pause of every device listens to it.
    setMaxListeners(0, this.abort.signal);
    this.events.setMaxListeners(0);
    this.broker = withoutCredentials(options.mqttUrl);
    const ground = this.ground(options);
    options.devices.forEach(({ deviceName, deviceSecret, version, behaviour, flavour }, place) => {
      const spoken = flavour ?? flavourOf(place);
      const triple = { productKey: options.productKey, deviceName, deviceSecret };
      this.devices.set(deviceName, new SimulatedDevice({ triple, flavour: spoken, version, behaviour }, ground));
    });
  }

  /** Connects all devices; resolves when each has reported its version once. Rejects when it is stopped before. */
  async start(): Promise<void> {
    await Promise.all([...this.devices.values()].map((device) => device.begin()));
  }

  /** Ends everything that the devices do, and disconnects them. */
  async stop(): Promise<void> {
    this.abort.abort();
    await Promise.all([...this.devices.values()].map((device) => device.leave()));
  }

  counts(): FleetCounts {
    const count = (kind: DeviceEventKind) => this.happened.get(kind) ?? 0;
    const ends = ENDS.reduce((sum, kind) => sum + count(kind), 0);
    return {
      devices: this.devices.size,
      online: count('connected') - count('disconnected'),
      updating: count('notified') - ends,
      reportsSent: this.reportsSent,
      unreachable: this.countFailedTries('unreachable'),
      refused: this.countFailedTries('refused'),
      connectProblem: this.failedTries.size === 0 ? undefined : this.connectProblem,
      events: Object.fromEntries(Object.values(DeviceEventKind).map((kind) => [kind, count(kind)])) as Record<
        DeviceEventKind,
        number
      >,
    };
  }

  /** Resolves when the condition holds; it is looked at now and after every event. */
  async until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve) => {
      const look = () => {
        if (!condition()) return;
        this.events.off('event', look);
        resolve();
      };
      this.events.on('event', look);
    });
  }

  /** The updates of a device and how they ended, by its own account. */
  accounts(deviceName: string): readonly UpdateAccount[] {
    return this.device(deviceName).accounts;
  }

  version(deviceName: string): string {
    return this.device(deviceName).version;
  }

  /** From now on the updates of these devices go well; those that are away come online. */
  async repair(deviceNames: readonly string[]): Promise<void> {
    await Promise.all(deviceNames.map((name) => this.device(name).repair()));
  }

  /** Calls devices online that are away by behaviour. */
  async comeBack(deviceNames: readonly string[]): Promise<void> {
    await Promise.all(deviceNames.map((name) => this.device(name).comeBack()));
  }

  private noteConnecting({ deviceName, kind, reason = '' }: DeviceEvent): void {
    if (kind === 'connected') this.failedTries.delete(deviceName);
    if (kind !== 'unreachable' && kind !== 'refused') return;
    this.failedTries.set(deviceName, kind);
    this.connectProblem = `${this.broker}: ${reason}`;
  }

  private countFailedTries(kind: 'unreachable' | 'refused'): number {
    let count = 0;
    for (const last of this.failedTries.values()) if (last === kind) count++;
    return count;
  }

  private device(name: string): SimulatedDevice {
    const device = this.devices.get(name);
    if (!device) throw new RangeError(`The fleet has no device ${name}`);
    return device;
  }

  private ground({ mqttUrl, timing, seed = 1, connectsAtOnceMax = 40 }: FleetOptions): FleetGround {
    const queue = new Turns(connectsAtOnceMax);
    return {
      mqttUrl,
      timing: { ...DEFAULT_TIMING, ...timing },
      signal: this.abort.signal,
      inTurn: (work) => queue.run(work),
      random: seededRandom(seed),
      sending: () => {
        this.reportsSent++;
      },
      tell: (event) => {
        this.happened.set(event.kind, (this.happened.get(event.kind) ?? 0) + 1);
        this.noteConnecting(event);
        this.events.emit('event', event);
      },
    };
  }
}

const withoutCredentials = (url: string): string => url.replace(/\/\/[^/@]*@/, '//');

const flavourOf = (place: number): Flavour => FLAVOURS[place % FLAVOURS.length] ?? FLAVOURS[0];

/** Events that end an update. */
const ENDS: readonly DeviceEventKind[] = ['succeeded', 'failed', 'silent', 'stalled', 'kept-old-version', 'abandoned'];

export const createFleet = (options: FleetOptions): Fleet => new Fleet(options);
