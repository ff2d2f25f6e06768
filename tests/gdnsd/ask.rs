//! Asks a server many questions over UDP with a bounded window, and asks again what got lost.

use crate::wire::{Question, Reply};
use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Questions under way at once; small enough for the default receive buffer of a socket.
const WINDOW_MAX: usize = 96;
/// After this a question counts as lost.
const LOST_AFTER: Duration = Duration::from_millis(700);
/// Most times that one question is sent.
const TRIES_MAX: u32 = 20;

/// The replies in the order of the questions.
///
/// # Errors
/// Text that names the question when one stays without a reply.
pub(crate) fn ask(server: SocketAddr, questions: &[Question]) -> Result<Vec<Reply>, String> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let mut replies: Vec<Option<Reply>> = vec![None; questions.len()];
    let mut waiting: BTreeMap<u16, (usize, Instant, u32)> = BTreeMap::new();
    let mut next = 0;
    let mut buffer = [0; 4096];
    loop {
        while waiting.len() < WINDOW_MAX && next < questions.len() {
            // Numbers are unique among what is under way, which is far less than 65536.
            let id = u16::try_from(next % 65_536).unwrap();
            send(&socket, &questions[next], id);
            waiting.insert(id, (next, Instant::now(), 1));
            next += 1;
        }
        if waiting.is_empty() {
            break;
        }
        match socket.recv(&mut buffer) {
            Ok(size) => {
                if let Some((id, reply)) = Reply::decode(&buffer[..size])
                    && let Some((index, _, _)) = waiting.remove(&id)
                {
                    replies[index] = Some(reply);
                }
            }
            Err(_) => again(&socket, questions, &mut waiting, server)?,
        }
    }
    Ok(replies.into_iter().flatten().collect())
}

/// Sends anew what seems lost.
fn again(
    socket: &UdpSocket,
    questions: &[Question],
    waiting: &mut BTreeMap<u16, (usize, Instant, u32)>,
    server: SocketAddr,
) -> Result<(), String> {
    for (id, (index, since, tries)) in waiting.iter_mut() {
        if since.elapsed() < LOST_AFTER {
            continue;
        }
        let question = &questions[*index];
        if *tries == TRIES_MAX {
            return Err(format!("{server} leaves {question:?} without a reply"));
        }
        (*since, *tries) = (Instant::now(), *tries + 1);
        send(socket, question, *id);
    }
    Ok(())
}

/// A refused or full socket shows as a lost question.
fn send(socket: &UdpSocket, question: &Question, id: u16) {
    let _ = socket.send(&question.encode(id));
}
